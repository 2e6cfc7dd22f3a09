import Foundation
import MoECore
import MoEData
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("The commands for images")
struct DiffusionCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("train learns from the bundled digits, and sample makes images of them")
  func trainAndSample() throws {
    let out = folder.file("run").string
    let example = Fixtures.package.appending("Examples/promoe-digits.json").string
    let trained = try Program.run(
      "train", example, "--out", out, "--steps", "3", "--set", "training.batch_size=8", "--set",
      "evaluation.samples=1", "--set", "evaluation.sampling_steps=2", "--set",
      "evaluation.images=8")
    #expect(trained.exitCode == 0, "\(trained.errors)")
    #expect(trained.errors.contains("images of 1×8×8, 10 classes"))

    let model = out + "/model"
    // The folder of the run stands for its model.
    let sheets = try [("a.png", model), ("b.png", out)].map { name, model in
      let path = folder.file(name)
      let run = try Program.run(
        "sample", model, "--out", path.string, "--classes", "3,7", "--count", "2", "--steps", "4",
        "--guidance", "2", "--seed", "5")
      #expect(run.exitCode == 0, "\(run.errors)")
      return try ImageFile.read(path)
    }
    #expect(sheets[0] == sheets[1] && sheets[0].width == 2 * 66 + 2 && sheets[0].height == 134)
    try guide(model)
    try look(at: out)
    let any = folder.file("any.safetensors")
    let unlabelled = try Program.run(
      "sample", model, "--no-label", "--count", "2", "--steps", "2", "--out", any.string)
    #expect(unlabelled.exitCode == 0, "\(unlabelled.errors)")
    // The null label follows the ten classes.
    #expect(try SafetensorsFile(any).tensor(named: "labels").array(of: Int64.self) == [10, 10])
    let way = folder.file("way.png")
    let trajectory = try Program.run(
      "sample", model, "--out", way.string, "--classes", "3", "--count", "1", "--steps", "16",
      "--trajectory")
    #expect(trajectory.exitCode == 0, "\(trajectory.errors)")
    #expect(try ImageFile.read(way).width == 9 * 66 + 2)
  }

  /// The options that a model rejects if it was trained with all labels.
  private func unlabelled(_ out: String) throws {
    let example = Fixtures.package.appending("Examples/promoe-digits.json").string
    let trained = try Program.run(
      "train", example, "--out", out, "--steps", "1", "--set", "training.batch_size=2", "--set",
      "evaluation.samples=0", "--set", "evaluation.images=2", "--set", "evaluation.guidance=1",
      "--set", "model.label_dropout=0", "--set", #"model.experts={"unconditional": false}"#)
    #expect(trained.exitCode == 0, "\(trained.errors)")
    let path = folder.file("unlabelled.png")
    for (arguments, message) in [
      (
        ["--guidance", "1.5"],
        "guidance above 1 needs a model that was trained with label dropout"
      ),
      (["--no-label"], "--no-label is absent; it must be that of a class"),
      (["--classes", "10"], "--classes is '10'"), (["--classes", "(no label)"], "--classes is"),
    ] {
      let run = try Program.run(["sample", out + "/model", "--out", path.string] + arguments)
      #expect(run.exitCode == 1 && run.errors.contains(message), "\(run.errors)")
      #expect(path.isMissing)
    }
    let plain = try Program.run(
      "sample", out + "/model", "--out", path.string, "--classes", "1", "--count", "1", "--steps",
      "1")
    #expect(plain.exitCode == 0 && !path.isMissing, "\(plain.errors)")
  }

  /// What options of guidance change, seen in the numbers that 'sample' writes.
  private func guide(_ model: String) throws {
    func made(_ name: String, _ options: [String]) throws -> Tensor {
      let path = folder.file(name + ".safetensors")
      let run = try Program.run(
        ["sample", model, "--out", path.string, "--classes", "3,7", "--count", "2"]
          + ["--steps", "4", "--threads", "1"] + options)
      #expect(run.exitCode == 0, "\(run.errors)")
      return try SafetensorsFile(path).tensor(named: "mean")
    }
    let (none, twice) = (try made("none", []), try made("twice", ["--guidance", "2"]))
    let batch = try made("batch", ["--guidance", "2", "--one-batch"])
    expectClose(batch, twice, Tolerance(relative: 1e-4, absolute: 1e-4))
    // Four steps begin at the times 1, 0.75, 0.5 and 0.25.
    let never = try made("never", ["--guidance", "2", "--guidance-interval", "0-0.2"])
    expectClose(never, none, .exact)
    let partly = try made("partly", ["--guidance", "2", "--guidance-interval", "0.3-0.8"])
    #expect((twice .!= none).any() && (partly .!= none).any() && (partly .!= twice).any())
  }

  /// What 'info', 'inspect' and 'fidelity' say of the run of three steps.
  private func look(at run: String) throws {
    let info = try Program.run("info", run)
    #expect(info.exitCode == 0 && info.output.contains("ProMoE, tokens choosing"), "\(info.errors)")
    #expect(info.output.contains("images        1×8×8 in patches of 2"), "\(info.output)")
    let page = folder.file("experts.html")
    let inspected = try Program.run("inspect", run, "--html", page.string)
    #expect(inspected.exitCode == 0, "\(inspected.errors)")
    #expect(inspected.output.contains("images of 10 classes"), "\(inspected.output)")
    let html = try String(contentsOfFile: page.string, encoding: .utf8)
    #expect(html.contains("Gate value") && html.contains("Experts by class, block 3"))
    #expect(html.contains("made by the averaged weights"))
    #expect(html.contains("validation, averaged weights"))
    let described = try Program.run("inspect", run + "/model", "--json")
    #expect(described.exitCode == 0 && described.output.contains("\"diffusion_transformer\""))
    let data = Fixtures.package.appending("Data/digits")
    let reference = [
      "--reference", data.appending("images-idx3-ubyte").string, "--labels",
      data.appending("labels-idx1-ubyte").string, "--classifier",
      Fixtures.package.appending("Data/digits-classifier").string,
    ]
    let measured = try Program.run(
      ["fidelity", run, "--count", "80", "--steps", "2"] + reference)
    #expect(measured.exitCode == 0, "\(measured.errors)")
    #expect(measured.output.contains("Fréchet distance") && measured.output.contains("no ImageNet"))
    #expect(measured.output.contains("generated by the averaged weights"))
    let few = try Program.run(["fidelity", run + "/model", "--count", "3"] + reference)
    #expect(few.exitCode == 64 && few.errors.contains("--count is 3"), "\(few.errors)")
    // Model, sampler and classifier are checked before real images, which do not even exist.
    let digits = Fixtures.package.appending("Data/digits-classifier").string
    for (options, message) in [
      (["--classifier", run + "/model"], "'diffusion_transformer' is not supported"),
      (["--classifier", digits, "--sampler", "ddim"], "the sampler 'ddim' does not fit"),
      (["--classifier", digits, "--guidance", "0"], "--guidance is 0.0"),
      (["--classifier", digits, "--count", "9"], "--count is 9; it must be at least 10"),
    ] {
      let wrong = try Program.run(
        ["fidelity", run + "/model", "--reference", "/nowhere"] + options)
      #expect(wrong.exitCode != 0 && wrong.errors.contains(message), "\(wrong.errors)")
    }
  }

  @Test("the bundled classifier recognises the digits that it was not trained on")
  func bundledClassifier() throws {
    let info = try Program.run(
      "info", Fixtures.package.appending("Data/digits-classifier").string)
    #expect(info.exitCode == 0 && info.output.contains("10 classes: 0, 1, 2"), "\(info.errors)")
  }

  @Test("convert turns a PyTorch file into a model folder, and says what the file does not")
  func convert() throws {
    let out = folder.file("converted")
    let file = Fixtures.path("diffusion/promoe.pth").string
    // A width that no released model has does not determine the number of heads.
    let unknown = try Program.run("convert", file, "--out", out.string)
    #expect(unknown.exitCode == 1 && unknown.errors.contains("num_attention_heads"))
    #expect(out.isMissing)
    let text = """
      {"model_type": "diffusion_transformer", "image_size": 8, "channels": 2, "patch_size": 2,
       "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "num_classes": 5,
       "experts": {"router": "promoe", "count": 4, "expert_size": 16, "shared_size": 16}}
      """
    let config = try folder.write(Array(text.utf8), to: "config.json").string
    let run = try Program.run("convert", file, "--config", config, "--out", out.string)
    #expect(run.exitCode == 0 && !run.output.contains("assumed"), "\(run.errors)")
    let names = try FileManager.default.contentsOfDirectory(atPath: out.string)
    #expect(names.sorted() == ["config.json", "model.safetensors"])
    try latents(of: out.string)
    let other = try folder.write(
      Array(text.replacing("\"count\": 4", with: "\"count\": 5").utf8), to: "other.json"
    ).string
    let wrong = try Program.run(
      "convert", file, "--config", other, "--out", folder.file("wrong").string)
    #expect(wrong.exitCode == 1 && folder.file("wrong").isMissing, "\(wrong.errors)")
  }

  @Test("convert prints what it assumes because a file does not say it")
  func assumptions() throws {
    let out = folder.file("converted")
    let run = try Program.run(
      "convert", Fixtures.path("diffusion/normed.pth").string, "--out", out.string)
    #expect(run.exitCode == 0, "\(run.errors)")
    let expected =
      "label_dropout 0.1, objective rectified_flow, experts.router promoe, experts.scoring identity, experts.per_token 1"
    #expect(
      run.output.contains("assumed, because the file does not say it: \(expected)\n"),
      "\(run.output)")
    #expect(run.errors.contains("if the model was trained without label dropout, it is a class"))
    let config = String(decoding: try readBytes(out.appending("config.json")), as: UTF8.self)
    #expect(config.contains("\"num_attention_heads\" : 2") && config.contains("\"qk_norm\" : true"))
  }

  /// What 'sample' makes with a model of two channels.
  private func latents(of model: String) throws {
    let picture = try Program.run("sample", model, "--out", folder.file("x.png").string)
    #expect(picture.exitCode == 1, "\(picture.errors)")
    #expect(picture.errors.contains("latents of 2 channels; it must be pictures here"))
    #expect(picture.errors.contains("--out FILE.safetensors writes them"))
    #expect(folder.file("x.png").isMissing)
    func made(_ name: String, _ options: String...) throws -> SafetensorsFile {
      let path = folder.file(name)
      let run = try Program.run(
        ["sample", model, "--out", path.string, "--count", "2", "--classes", "1,4"]
          + ["--steps", "2", "--threads", "1"] + options)
      #expect(run.exitCode == 0, "\(run.errors)")
      return try SafetensorsFile(path)
    }
    let (plain, scaled) = (
      try made("plain.safetensors"), try made("scaled.safetensors", "--latent-scale", "0.5")
    )
    #expect(try plain.tensor(named: "labels").array(of: Int64.self) == [1, 1, 4, 4])
    #expect(
      plain.header.metadata["switchyard"] == #"{"version": 1, "classes": 5, "scale": 1.0}"#
        && scaled.header.metadata["switchyard"]?.contains("0.5") == true)
    let mean = try plain.tensor(named: "mean")
    #expect(mean.shape == [4, 2, 8, 8] && mean.isFinite().all())
    expectClose(try scaled.tensor(named: "mean"), mean * 2, .exact)
    let wrong = try Program.run(
      "sample", model, "--out", folder.file("way.safetensors").string, "--trajectory")
    #expect(wrong.exitCode == 64 && wrong.errors.contains("are for pictures"), "\(wrong.errors)")
  }

  @Test("wrong use is rejected with what to change, and nothing is written")
  func refusals() throws {
    let out = folder.file("run").string
    let example = Fixtures.package.appending("Examples/promoe-digits.json").string
    let trained = try Program.run(
      "train", example, "--out", out, "--steps", "1", "--set", "training.batch_size=2", "--set",
      "evaluation.samples=0", "--set", "evaluation.images=2")
    #expect(trained.exitCode == 0, "\(trained.errors)")
    let path = folder.file("x.png")
    let cases: [([String], Int32, String)] = [
      (["--no-label", "--classes", "1"], 64, "leave out --classes"),
      (["--classes", "11"], 1, "--classes is '11'"), (["--count", "0"], 64, "--count is 0"),
      (["--classes", ""], 64, "--classes is ''"), (["--classes", ","], 64, "--classes is ','"),
      (["--sampler", "ddim"], 1, "does not fit"), (["--steps", "0"], 64, "--steps is 0"),
      (["--sampler", "best"], 64, "euler"),
      (["--guidance", "0.5"], 64, "--guidance is 0.5; it must be a number of at least 1"),
      (["--guidance-interval", "0.8-0.1"], 64, "--guidance-interval is '0.8-0.1'"),
      (["--guidance-interval", "0.1-2"], 64, "such as 0.1-0.8"),
      (["--guidance-interval", "0.1"], 64, "such as 0.1-0.8"),
    ]
    for (arguments, code, message) in cases {
      let run = try Program.run(["sample", out + "/model", "--out", path.string] + arguments)
      #expect(run.exitCode == code && run.errors.contains(message), "\(run.errors)")
      #expect(path.isMissing)
    }
    try unlabelled(out + "-unlabelled")
    // If nothing can be written, even the weights are not opened, which would show that the sampler
    // is wrong.
    for (place, message) in [
      (folder.file("nowhere").appending("x.png"), "nowhere"), (folder.path, "folder"),
    ] {
      let run = try Program.run(
        "sample", out + "/model", "--out", place.string, "--sampler", "ddim")
      #expect(run.exitCode == 1 && run.errors.contains(message), "\(run.errors)")
      #expect(!run.errors.contains("does not fit"), "\(run.errors)")
    }
  }
}
