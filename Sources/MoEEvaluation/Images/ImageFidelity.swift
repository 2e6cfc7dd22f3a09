public import MoEModels
public import MoETensor

/// What a classifier says of a set of images.
public struct ImageFeatures {
  /// What describes each image, shape `[images, features]`, f32.
  public var features: Tensor
  /// Scores before the softmax, shape `[images, classes]`, f32.
  public var logits: Tensor
  /// The class that each image is meant to show, by the classifier's numbers; `nil` where it is not known.
  public var labels: [Int]?

  /// Collects answers.
  public init(features: Tensor, logits: Tensor, labels: [Int]? = nil) {
    (self.features, self.logits, self.labels) = (features, logits, labels)
  }

  /// Lets a classifier look at images.
  ///
  /// - Parameters:
  ///   - classifier: Who looks.
  ///   - images: Shape `[images, channels, rows, columns]`, f32, pixels from -1 to 1.
  ///   - labels: What they are meant to show.
  public init(_ classifier: ImageClassifier, _ images: Tensor, labels: [Int]? = nil) {
    let output = withoutGradients { classifier(images) }
    self.init(features: output.features, logits: output.logits, labels: labels)
  }

  /// Several sets as one.
  ///
  /// - Precondition: There is at least one; all know their labels, or none does.
  public static func joined(_ sets: [ImageFeatures]) -> ImageFeatures {
    precondition(
      Set(sets.map { $0.labels == nil }).count == 1, "sets with and without labels, or none")
    return ImageFeatures(
      features: Tensor.concatenated(sets.map(\.features), axis: 0),
      logits: Tensor.concatenated(sets.map(\.logits), axis: 0),
      labels: sets[0].labels.map { _ in sets.flatMap { $0.labels ?? [] } })
  }

  /// Number of images.
  public var count: Int { features.size(0) }

  /// Share of images whose likeliest class is the one that they are meant to show.
  public var accuracy: Double? {
    guard let labels, !labels.isEmpty else { return nil }
    let predicted = logits.argmax(axis: 1).array(of: Int.self)
    let right = zip(predicted, labels).count { $0 == $1 }
    return Double(right) / Double(labels.count)
  }

  /// Every second image, from the first or from the second on.
  func half(_ start: Int) -> ImageFeatures {
    let places = Array(stride(from: start, to: count / 2 * 2, by: 2))
    let rows = Tensor(places)
    return ImageFeatures(
      features: features.selecting(rows), logits: logits.selecting(rows),
      labels: labels.map { all in places.map { all[$0] } })
  }
}

/// How close made images come to real ones, by the eyes of one classifier.
///
/// The numbers are no ImageNet FIDs: they can be compared only with others of the same classifier, the same real
/// images and the same number of images.
public struct ImageFidelity: Hashable, Codable, Sendable {
  /// Made images; as many as real ones.
  public var images: Int
  /// The Fréchet distance between features of made and of real images.
  public var frechetDistance: Double
  /// The same between two halves of real images, which nothing that is made will beat by much.
  public var frechetFloor: Double
  /// Images of each half; with fewer than ``images`` the floor lies too high.
  public var floorImages: Int
  /// How sure the classifier is of made images, and how varied they are.
  public var inceptionScore: InceptionScore
  /// The same of real images.
  public var realInceptionScore: InceptionScore
  /// Share of made images that lie among real ones.
  public var precision: Double
  /// Share of real images that lie among made ones.
  public var recall: Double
  /// Share of made images that show the class that was asked for, as the classifier sees it.
  public var accuracy: Double?
  /// The classifier's accuracy on the real images.
  public var realAccuracy: Double?

  /// Compares made with real images.
  ///
  /// - Parameters:
  ///   - made: Made images.
  ///   - real: As many real ones.
  ///   - others: Real images in an order without meaning, whose halves give the floor; best twice as many.
  /// - Precondition: There are at least ten of each.
  public init(made: ImageFeatures, real: ImageFeatures, others: ImageFeatures) {
    precondition(
      made.count == real.count && made.count >= 10 && others.count >= 10,
      "\(made.count) made, \(real.count) real and \(others.count) other images")
    images = made.count
    frechetDistance = FrechetDistance.between(made.features, real.features)
    let halves = [others.half(0), others.half(1)]
    frechetFloor = FrechetDistance.between(halves[0].features, halves[1].features)
    floorImages = halves[0].count
    inceptionScore = InceptionScore(logits: made.logits)
    realInceptionScore = InceptionScore(logits: real.logits)
    let overlap = ManifoldOverlap(made: made.features, real: real.features)
    (precision, recall) = (overlap.precision, overlap.recall)
    (accuracy, realAccuracy) = (made.accuracy, real.accuracy)
  }
}
