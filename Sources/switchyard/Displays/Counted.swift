import MoECore

/// A number with its noun, in the singular or plural: 1 token, 2 tokens.
func counted(_ number: Int, _ noun: String) -> String { NumberText.counted(number, noun) }
