import Testing

@testable import switchyard

@Suite("The words of a command line")
struct CommandLineWordsTests {
  @Test(
    "are joined where a value begins with a dash",
    arguments: [
      (["generate", "m", "--prompt", "-5"], ["generate", "m", "--prompt=-5"]),
      (["--prompt", "- item", "--seed", "1"], ["--prompt=- item", "--seed", "1"]),
      (["--cost", "-1e3"], ["--cost=-1e3"]), (["--prompt", "---"], ["--prompt=---"]),
      // What may be an option stays one.
      (["--prompt", "--seed"], ["--prompt", "--seed"]), (["--prompt", "-h"], ["--prompt", "-h"]),
      (["--cost=2", "-5"], ["--cost=2", "-5"]), (["a", "-5"], ["a", "-5"]),
      (["--", "--prompt", "-5"], ["--", "--prompt", "-5"]), (["--text", "-"], ["--text", "-"]),
    ])
  func joining(words: [String], expected: [String]) {
    #expect(CommandLineWords.joiningValues(words) == expected)
  }

  @Test(
    "that name no command get the nearest one as a hint",
    arguments: [
      (["genrate"], "did you mean 'generate'?"), (["help", "trian"], "did you mean 'train'?"),
      (["plan", "chek", "plan.json"], "did you mean 'check'?"), (["xyzzyxyzzy"], "there are demo,"),
    ])
  func commands(words: [String], hint: String) {
    #expect { try CommandLineWords.checkCommand(words) } throws: { "\($0)".contains(hint) }
  }

  @Test(
    "that name a command pass",
    arguments: [
      [], ["help"], ["--help"], ["plan"], ["plan", "help"], ["help", "plan", "check"],
      ["info", "folder"],
    ])
  func known(words: [String]) throws { try CommandLineWords.checkCommand(words) }

  @Test("say how values that begin with a dash are written, only where it helps")
  func explanations() {
    let missing = "Missing value for '--prompt <prompt>'"
    #expect(
      CommandLineWords.explaining(missing, ["--prompt", "-foo"]).contains("--prompt=-value"))
    #expect(CommandLineWords.explaining(missing, ["--prompt"]) == missing)
    #expect(
      CommandLineWords.explaining("Unknown option '-5'", ["encode", "-5"]).contains("after '--'"))
  }
}
