/// The two ways to add up the numbers of a language model's pass.
///
/// A position belongs to one of them by its role, never by how many others are computed with it. Within a class a
/// position has the same bits alone or in company, and in one piece or in parts, for f32 and bf16 on the CPU while no
/// gradients are recorded. `Documentation/decisions/0014-company.md` says what that covers.
public enum Arithmetic: String, Hashable, Codable, Sendable, CaseIterable {
  /// Products of matrices, for positions that are read: a prompt, or a text to be scored.
  case prompt
  /// Dot products that read each weight once, for positions that are written one by one.
  case decode
}
