import MoECore
import MoEModels
import MoETestSupport
import SystemPackage
import Testing

@Suite("Locations of models")
struct ModelLocationTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Writes a file, and the folders that hold it.
  private func write(_ text: String, to name: String) throws {
    let path = folder.path.pushing(FilePath(name))
    try path.removingLastComponent().createFolders()
    try AtomicFile.write(text, to: path)
  }

  private func path(_ name: String) -> FilePath { folder.path.pushing(FilePath(name)) }

  private func message(_ name: String) -> String {
    do {
      _ = try ModelLocation(path(name))
      return ""
    } catch { return "\(error)" }
  }

  @Test(
    "folders are of the kind that their model_type names",
    arguments: [
      ("llama", LanguageModels.title), ("switchyard_moe", LanguageModels.title),
      ("diffusion_transformer", DiffusionModels.title), ("hecto", TextClassifiers.title),
      ("image_classifier", ImageClassifiers.title),
    ])
  func kinds(type: String, title: String) throws {
    try write("{\"model_type\": \"\(type)\"}", to: "m/config.json")
    let location = try ModelLocation(path("m"))
    #expect(location.path == path("m") && location.run == nil && location.modelType == type)
    #expect(location.kind?.title == title)
  }

  @Test("GGUF files are language models, by their name or their first bytes")
  func gguf() throws {
    try write("GGUF", to: "weights.bin")
    try write("", to: "empty.gguf")
    for name in ["weights.bin", "empty.gguf"] {
      #expect(try ModelLocation(path(name)).kind is LanguageModels.Type, "\(name)")
    }
  }

  @Test("a folder of an unknown kind is found, and described as one that is not supported")
  func unknown() throws {
    try write("{\"model_type\": \"t5\"}", to: "t5/config.json")
    try write("{}", to: "none/config.json")
    try write("[", to: "broken/config.json")
    for (name, part) in [("t5", "'t5' is not supported"), ("none", "model_type"), ("broken", "")] {
      let location = try ModelLocation(path(name))
      #expect(location.kind == nil)
      let error = #expect(throws: (any Error).self) { try location.summary() }
      let text = "\(error, default: "")"
      #expect(text.contains("config.json") && (part.isEmpty || text.contains(part)), "\(text)")
    }
  }

  @Test("a model of one kind is not opened as one of another, and the message names both")
  func otherKind() throws {
    try write("{\"model_type\": \"llama\"}", to: "m/config.json")
    let location = try ModelLocation(path("m"))
    #expect(
      throws: ModelError.otherKind(
        path: path("m"), found: LanguageModels.title, expected: DiffusionModels.title)
    ) { try location.open(as: DiffusionModels.self) }
    try write("{\"model_type\": \"hecto\"}", to: "h/config.json")
    let error = #expect(throws: ModelError.self) { try MoEDecoder.open(path("h")) }
    #expect("\(error, default: "")".contains("a language model is needed"))
  }

  @Test("the folder of a run stands for its model")
  func run() throws {
    try write("{}", to: "run/run.json")
    try write("{\"model_type\": \"hecto\"}", to: "run/model/config.json")
    let location = try ModelLocation(path("run"))
    #expect(location.path == path("run/model") && location.run == path("run"))
    #expect(location.kind is TextClassifiers.Type)
    // A model that is named directly does not belong to a run.
    #expect(try ModelLocation(path("run/model")).run == nil)
    // A configuration next to it is the training configuration, unless it is a model's.
    try write("{\"task\": \"classification\"}", to: "run/config.json")
    #expect(try ModelLocation(path("run")) == location)
    try write("{\"model_type\": \"llama\"}", to: "run/config.json")
    #expect(try ModelLocation(path("run")).path == path("run"))
  }

  @Test("a run's folder opens wherever its model does, with the same result")
  func opening() throws {
    let source = Fixtures.path("decoders").appending("olmoe")
    try write("{}", to: "run/run.json")
    for name in ["config.json", "model.safetensors"] {
      try path("run/model").createFolders()
      try AtomicFile.write(readBytes(source.appending(name)), to: path("run/model/" + name))
    }
    #expect(try StoredModel(path("run")).path == path("run/model"))
    #expect(try ModelSummary(path("run")) == ModelSummary(path("run/model")))
    #expect(try ModelLocation.tensors(path("run")) == path("run/model"))
    // Without a tokenizer in the run's folder, that of the model is used.
    #expect(try ModelLocation.tokenizer(path("run")) == path("run/model"))
    try write("{}", to: "run/tokenizer.json")
    #expect(try ModelLocation.tokenizer(path("run")) == path("run"))
  }

  @Test("a run without a model says how far it has come and what to do")
  func unfinished() throws {
    try write("{}", to: "run/run.json")
    #expect(message("run").hasSuffix("it has no checkpoint yet; start it again"))
    for step in ["checkpoints/step-00000100", "checkpoints/step-00000200", "checkpoints/.x"] {
      try path("run/" + step).createFolders()
    }
    let (newest, first) = (path("run/checkpoints/step-00000200"), "run/snapshots/step-00000050")
    #expect(message("run").hasSuffix("newest checkpoint is \(newest): continue the run to its end"))
    #expect(ModelLocation.isNamed(by: path("run")))
    try path(first).createFolders()
    #expect(
      throws: ModelError.unfinishedRun(
        path: path("run"), checkpoint: newest, snapshot: path(first))
    ) { try ModelLocation(path("run")) }
    #expect(message("run").hasSuffix("or name a snapshot such as \(path(first))"))
    // An incomplete model does not count.
    try path("run/model").createFolders()
    #expect(message("run").contains("without a finished model"))
  }

  @Test("what is not a model is described by its contents")
  func neither() throws {
    try path("empty").createFolders()
    #expect(message("empty").hasSuffix("does not contain a model: the folder is empty"))
    for name in ["metrics.csv", "notes.txt", "a.log"] { try write("x", to: "some/" + name) }
    #expect(message("some").hasSuffix("no config.json; found a.log, metrics.csv, notes.txt"))
    for name in [".hidden", "b.log"] { try write("x", to: "some/" + name) }
    #expect(message("some").hasSuffix("found a.log, b.log and 3 more"))
    #expect(!ModelLocation.isNamed(by: path("some")))
    #expect(throws: FileError.notFound(path("none"))) { try ModelLocation(path("none")) }
  }

  @Test("files that are not models say what they are")
  func files() throws {
    for (name, part) in [
      ("a.txt", "is neither the folder of a model nor a GGUF file"), ("a.pth", "a PyTorch file"),
      ("a.PT", "convert it"), ("model.safetensors", "name the folder"),
    ] {
      try write("text", to: name)
      #expect(message(name).contains(part), "\(message(name))")
    }
  }

  @Test("a kind that is registered from outside is found, described and opened")
  func outsider() throws {
    ModelKinds.registry.register("tiny", TinyModels.self)
    try write("tiny!", to: "a.tiny")
    try write("{\"model_type\": \"tiny_model\"}", to: "t/config.json")
    for name in ["a.tiny", "t"] {
      let location = try ModelLocation(path(name))
      #expect(location.kind is TinyModels.Type)
      #expect(try location.open(as: TinyModels.self) == path(name).string)
      #expect(try location.summary().text.contains("taste         sweet"))
    }
  }
}

/// A kind of model that the library does not know.
private enum TinyModels: ModelKind {
  static let title = "a tiny model"
  static let modelTypes = ["tiny_model"]

  static func holds(_ location: ModelLocation) -> Bool {
    location.path.extension == "tiny" || location.modelType == "tiny_model"
  }

  static func summary(of path: FilePath) -> ModelSummary {
    ModelSummary(
      family: "tiny_model", parameters: 1, activeParameters: 1,
      facts: [.init(name: "taste", value: "sweet")], bytesByType: ["f32": 4])
  }

  static func open(_ path: FilePath) -> String { path.string }
}
