public import MoEModels
public import MoETensor

/// A classifier's outputs for a set of images.
public struct ImageFeatures {
  /// The features of each image, shape `[images, features]`, f32.
  public var features: Tensor
  /// Scores before the softmax, shape `[images, classes]`, f32.
  public var logits: Tensor
  /// The class that each image should show, as the classifier's index; `nil` if unknown.
  public var labels: [Int]?

  /// Collects outputs.
  public init(features: Tensor, logits: Tensor, labels: [Int]? = nil) {
    (self.features, self.logits, self.labels) = (features, logits, labels)
  }

  /// Runs a classifier on images.
  ///
  /// - Parameters:
  ///   - classifier: The classifier.
  ///   - images: Shape `[images, channels, rows, columns]`, f32, pixels from -1 to 1.
  ///   - labels: The classes that they should show.
  /// - Throws: `NonFiniteScores` when the classifier does not give numbers.
  public init(
    _ classifier: ImageClassifier, _ images: Tensor, labels: [Int]? = nil
  ) throws(NonFiniteScores) {
    let output = withoutGradients { classifier(images) }
    try classifier.check(output, of: images)
    self.init(features: output.features, logits: output.logits, labels: labels)
  }

  /// Joins several sets.
  ///
  /// - Precondition: There is at least one set; either all have labels or none.
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

  /// The fraction of images whose most likely class is the one they should show.
  public var accuracy: Double? {
    guard let labels, !labels.isEmpty else { return nil }
    let predicted = logits.argmax(axis: 1).array(of: Int.self)
    let right = zip(predicted, labels).count { $0 == $1 }
    return Double(right) / Double(labels.count)
  }

  /// Every second image, starting with the first or the second.
  func half(_ start: Int) -> ImageFeatures {
    let places = Array(stride(from: start, to: count / 2 * 2, by: 2))
    let rows = Tensor(places)
    return ImageFeatures(
      features: features.selecting(rows), logits: logits.selecting(rows),
      labels: labels.map { all in places.map { all[$0] } })
  }
}

/// How close generated images are to real ones, according to one classifier.
///
/// The values are not ImageNet FIDs: they are comparable only for the same classifier, the same
/// real images and the same number of images.
public struct ImageFidelity: Hashable, Codable, Sendable {
  /// The number of generated images, equal to that of real ones.
  public var images: Int
  /// The Fréchet distance between features of generated and real images.
  public var frechetDistance: Double
  /// The same between two halves of real images: about the best possible value.
  public var frechetFloor: Double
  /// The number of images in each half; with fewer than ``images`` the floor is too high.
  public var floorImages: Int
  /// The Inception Score of generated images.
  public var inceptionScore: InceptionScore
  /// The Inception Score of real images.
  public var realInceptionScore: InceptionScore
  /// The fraction of generated images in the region of real ones.
  public var precision: Double
  /// The fraction of real images in the region of generated ones.
  public var recall: Double
  /// The fraction of generated images that the classifier assigns to the requested class.
  public var accuracy: Double?
  /// The classifier's accuracy on the real images.
  public var realAccuracy: Double?

  /// Compares generated with real images.
  ///
  /// - Parameters:
  ///   - made: Generated images.
  ///   - real: The same number of real images.
  ///   - others: Real images in arbitrary order, whose halves give the floor; ideally twice as
  ///     many.
  /// - Precondition: There are at least ten images in each set.
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
