// swift-tools-version: 6.2
import PackageDescription

// A package of its own, so that users of the libraries never build it. `make bench` runs it.
let package = Package(
  name: "bench",
  platforms: [.macOS(.v15)],
  dependencies: [
    .package(name: "switchyard", path: ".."),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
  ],
  targets: [
    .executableTarget(
      name: "bench",
      dependencies: [
        .product(name: "MoECore", package: "switchyard"),
        .product(name: "MoETensor", package: "switchyard"),
        .product(name: "MoEPlacement", package: "switchyard"),
        .product(name: "MoETracing", package: "switchyard"),
        .product(name: "MoETraining", package: "switchyard"),
        .product(name: "MoEModels", package: "switchyard"),
        .product(name: "MoEQuantization", package: "switchyard"),
        .product(name: "MoERouting", package: "switchyard"),
        .product(name: "MoEEvaluation", package: "switchyard"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
        .product(name: "SystemPackage", package: "swift-system"),
      ],
      swiftSettings: [
        .swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
        .enableUpcomingFeature("MemberImportVisibility"), .treatAllWarnings(as: .error),
      ])
  ]
)
