import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Rewriting a model")
struct ModelRewritingTests {
  private let folder: TemporaryFolder
  private var model: FilePath { folder.file("model") }

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("model").string, withIntermediateDirectories: false)
    for name in ["config.json", "model.safetensors"] {
      let source = Fixtures.path("decoders").appending("olmoe").appending(name)
      try FileManager.default.copyItem(
        atPath: source.string, toPath: folder.file("model").appending(name).string)
    }
  }

  private func write(_ text: String, to name: String) throws {
    try AtomicFile.write(text, to: model.appending(name))
  }

  private func text(_ path: FilePath) throws -> String {
    String(decoding: try readBytes(path), as: UTF8.self)
  }

  private func logits(_ path: FilePath) throws -> Tensor {
    try MoEDecoder.open(path, dtype: .f32)(Tensor([1, 2, 3, 4], shape: [1, 4])).logits
  }

  @Test("into a folder carries what belongs to it, so that the copy opens and computes the same")
  func companions() throws {
    // Indices of weights, weights in other formats, hidden files and folders stay where they are.
    let carried = [
      "generation_config.json": "{\"eos_token_id\": [1, 2]}", "tokenizer.json": "{\"a\": 1}",
      "merges.txt": "a b\n", "tokenizer.model": "\u{1}\u{2}", "chat_template.jinja": "{{ x }}",
      "classes.json": "[]",
    ]
    for (name, contents) in carried { try write(contents, to: name) }
    for name in ["pytorch_model.bin.index.json", "pytorch_model.bin", ".hidden.json"] {
      try write("{}", to: name)
    }
    try FileManager.default.createDirectory(
      atPath: model.appending("folder.json").string, withIntermediateDirectories: false)

    let copy = folder.file("copy")
    // Several files, so that an index is made.
    try ModelLocation.rewrite(model, to: copy, as: .init(shardLimit: ByteCount(40_000)))
    for (name, contents) in carried {
      #expect(try text(copy.appending(name)) == contents, "\(name)")
    }
    #expect(try text(copy.appending("config.json")) == text(model.appending("config.json")))
    let names = try FileManager.default.contentsOfDirectory(atPath: copy.string)
    #expect(
      Set(names.filter { !$0.hasSuffix(".safetensors") })
        == Set(carried.keys).union(["config.json", "model.safetensors.index.json"]))
    expectClose(try logits(copy), try logits(model), .exact)

    // Again from the copy, whose index must not come along.
    let single = folder.file("single")
    try ModelLocation.rewrite(copy, to: single, as: .init())
    #expect(single.appending("model.safetensors.index.json").isMissing)
    expectClose(try logits(single), try logits(model), .exact)
  }

  @Test(
    "in another type names it in the configuration, in both spellings",
    arguments: ["dtype", "torch_dtype"])
  func newType(key: String) throws {
    let url = URL(filePath: model.appending("config.json").string)
    var json = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    (json["dtype"], json["torch_dtype"]) = (nil, nil)
    json[key] = "float32"
    json["rms_norm_eps"] = 1e-05
    try JSONSerialization.data(withJSONObject: json).write(to: url)

    let copy = folder.file("copy")
    try ModelLocation.rewrite(model, to: copy, as: .init(floatingPointType: .bf16))
    let changed = try ConfigurationObject(copy.appending("config.json"))
    let other = key == "dtype" ? "torch_dtype" : "dtype"
    #expect(try changed.optionalString(key) == "bfloat16" && !changed.has(other))
    #expect(try changed.number("rms_norm_eps") == 1e-05 && changed.values.count == json.count)
    #expect(try MoEDecoder.open(copy).parameters.allSatisfy { $0.parameter.value.dtype == .bf16 })
  }

  @Test("without a type in its configuration copies it byte by byte")
  func noType() throws {
    let keys = try ConfigurationObject(model.appending("config.json")).values
    var kept = keys
    (kept["dtype"], kept["torch_dtype"]) = (nil, nil)
    try write("\n" + JSONText.pretty(kept) + "\n\n", to: "config.json")
    let copy = folder.file("copy")
    try ModelLocation.rewrite(model, to: copy, as: .init(floatingPointType: .bf16))
    #expect(try text(copy.appending("config.json")) == text(model.appending("config.json")))
  }

  @Test("into a file, or from a file, takes the tensors alone")
  func tensorsAlone() throws {
    let file = folder.file("one.safetensors")
    try ModelLocation.rewrite(model, to: file, as: .init())
    #expect(try folder.contents() == ["model", "one.safetensors"])
    let shards = folder.file("shards")
    try ModelLocation.rewrite(file, to: shards, as: .init())
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: shards.string) == ["model.safetensors"])
  }

  @Test("that fails leaves nothing behind")
  func failure() throws {
    try write("{", to: "config.json")
    let copy = folder.file("copy")
    #expect(throws: ConfigurationError.self) {
      try ModelLocation.rewrite(model, to: copy, as: .init(floatingPointType: .bf16))
    }
    #expect(try folder.contents() == ["model"])
  }
}
