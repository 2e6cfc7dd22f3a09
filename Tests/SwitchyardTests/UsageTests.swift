import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Exit codes and completion")
struct UsageTests {
  /// Values that no file could make right are wrong usage, found before any file is looked at.
  @Test(
    "are 64 for values out of range, whether or not the files exist",
    arguments: [
      ("perplexity no --text no", "--context 1"), ("perplexity no --text no", "--context=-1"),
      ("perplexity no --text no", "--stride 0"),
      ("perplexity no --text no --context 8", "--stride 9"),
      ("sample no --out no.png", "--steps 0"), ("sample no --out no.png", "--steps 100001"),
      ("sample no --out no.png --sampler ddim", "--steps 1001"),
      ("fidelity no --reference no --classifier no", "--count 9"),
      ("fidelity no --reference no --classifier no", "--steps 0"),
      ("upcycle no --out no --k 1", "--experts 1"), ("upcycle no --out no --experts 4", "--k 0"),
      ("upcycle no --out no --experts 4", "--k 5"),
      ("upcycle no --out no --experts 4 --k 1", "--split 2"),
      ("upcycle no --out no --experts 4 --k 1", "--split 0"),
      ("upcycle no --out no --experts 4 --k 1", "--noise=-1"),
      ("upcycle no --out no --experts 4 --k 1", "--noise nan"),
      ("place no", "--ranks 0"), ("place no", "--ranks 4097"), ("place no --ranks 2", "--cost 0.5"),
      ("place no --ranks 2", "--cost inf"), ("place no --ranks 2", "--replicas=-1"),
      ("place no --ranks 2", "--balance 0.9"), ("place no --ranks 2", "--balance nan"),
      ("place no --ranks 2", "--imbalance-weight=-1"), ("place no --ranks 2", "--model-layers 0"),
      ("plan show no", "--ranks 0"), ("plan show no", "--experts 0"),
      ("plan show no", "--nodes 0"), ("plan convert no --to plan=no", "--model-layers 0"),
      ("tokenizer train no --out no", "--size 255"),
      ("tokenizer train no --out no --size 300", "--min-frequency 0"),
      ("tokenizer train no --out no --size 300 --special <a>", "--special <a>"),
      ("train no", "--steps 0"), ("generate no --prompt a", "--temperature=-1"),
      ("trace no --out no --text no", "--context 0"),
    ])
  func outOfRange(command: String, option: String) throws {
    let run = try Program.run(
      (command + " " + option).split(separator: " ").map(String.init))
    #expect(run.exitCode == 64 && run.output.isEmpty, "\(run.errors)")
    let name = option.split { " =".contains($0) }[0].dropFirst(2)
    #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(name), "\(run.errors)")
  }

  @Test("do not change when threads outnumber processors, which a note says")
  func threads() throws {
    let command = ["generate", "no", "--prompt", "a"]
    for (options, environment, source) in [
      (["--threads", "4096"], [:], "--threads 4096"),
      ([], ["OMP_NUM_THREADS": "3000"], "OMP_NUM_THREADS=3000"),
      (["--threads", "1"], ["OMP_NUM_THREADS": "3000"], nil),
      (["--threads", "1"], [:], nil),
    ] as [([String], [String: String], String?)] {
      let run = try Program.run(command + options, environment: environment)
      let notes = run.errors.split(separator: "\n").filter { $0.hasPrefix("note: ") }
      #expect(run.exitCode == 1 && notes.count == (source == nil ? 0 : 1), "\(run.errors)")
      if let source { #expect(notes.first?.hasPrefix("note: \(source) is more") == true) }
    }
  }

  @Test("are 64 for negative tokens")
  func negativeToken() throws {
    let run = try Program.run("tokenizer", "decode", "no", "--", "-1")
    #expect(run.exitCode == 64 && run.errors.contains("a token is -1"), "\(run.errors)")
  }

  @Test("are 1 for files that do not exist, and say that rather than anything else")
  func missingFile() throws {
    for arguments in [
      ["info", "no/such"], ["import-trace", "no/such", "--out", "no"],
      ["import-trace", "no/such.npy", "--out", "no"],
    ] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == 1, "\(arguments)")
      #expect(run.errors.hasPrefix("Error: \(arguments[1]) does not exist"), "\(run.errors)")
    }
  }

  @Test("are explained in the program's help")
  func explained() throws {
    let help = try Program.run("--help").output
    #expect(help.contains("Exit codes:") && help.contains("64 wrong usage"))
    #expect(help.contains("--generate-completion-script"))
  }

  @Test("Scripts for completion can be made for three shells", arguments: ["bash", "zsh", "fish"])
  func completion(shell: String) throws {
    let run = try Program.run("--generate-completion-script", shell)
    #expect(run.exitCode == 0 && run.errors.isEmpty, "\(run.errors)")
    for word in ["switchyard", "perplexity", "checkpoint", "shard-size"] {
      #expect(run.output.contains(word), "\(word)")
    }
  }

  @Test("The script for bash completes commands and options")
  func bashCompletion() throws {
    let folder = try TemporaryFolder()
    let script = folder.file("completion")
    try AtomicFile.write(
      Program.run("--generate-completion-script", "bash").output, to: script)
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = [
      "-c",
      """
      source "$1"
      words=(switchyard perpl)
      COMP_WORDS=("${words[@]}") COMP_CWORD=1 COMP_LINE="${words[*]}" COMP_POINT=16
      function=$(complete -p switchyard | sed -E 's/.*-F ([^ ]+) .*/\\1/')
      "$function" switchyard perpl switchyard
      echo "${COMPREPLY[@]}"
      """, "bash", script.string,
    ]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let found = String(
      decoding: try output.fileHandleForReading.readToEnd() ?? Data(), as: UTF8.self)
    process.waitUntilExit()
    #expect(found == "perplexity\n")
  }
}
