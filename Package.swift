// swift-tools-version: 6.2
import PackageDescription

// Native libraries come from `.deps/`, which `Scripts/setup` fills; `make` exports the absolute
// PKG_CONFIG_PATH that SwiftPM needs to find them.

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .strictMemorySafety(),
  .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [.treatAllWarnings(as: .error)]
let strictCXX: [CXXSetting] = [.treatAllWarnings(as: .error)]

/// One row of the table below: a library of ours and, by default, its tests.
struct Module {
  var name: String
  var dependencies: [Target.Dependency] = []
  var testDependencies: [Target.Dependency] = []
  /// Whether debug builds optimise it, too, because searches would take minutes otherwise.
  var isAlwaysOptimised = false

  var targets: [Target] {
    [
      .target(
        name: name, dependencies: dependencies,
        swiftSettings: strict + (isAlwaysOptimised ? [.unsafeFlags(["-O"])] : [])),
      .testTarget(
        name: "\(name)Tests",
        dependencies: [.target(name: name), "MoETestSupport"] + testDependencies,
        swiftSettings: strict),
    ]
  }
}

let system: Target.Dependency = .product(name: "SystemPackage", package: "swift-system")
let arguments: Target.Dependency = .product(
  name: "ArgumentParser", package: "swift-argument-parser")
let mpi: Target.Dependency = .target(name: "CMPI", condition: .when(traits: ["MPI"]))

// A module imports only modules above it; `Scripts/arrows` checks this and what no order can say.
let modules: [Module] = [
  Module(name: "MoECore", dependencies: [system], testDependencies: [system]),
  Module(
    name: "MoETokenizers", dependencies: ["MoECore", system],
    testDependencies: ["MoECore", "MoETensor", system]),
  Module(
    name: "MoETracing", dependencies: ["MoECore", system],
    testDependencies: ["MoECore", system]),
  Module(
    name: "MoEPlacement", dependencies: ["CHiGHS", "MoECore", "MoETracing", system],
    testDependencies: ["MoECore", system], isAlwaysOptimised: true),
  Module(
    name: "MoETensor", dependencies: ["MoECore", "CTorch", "CKernels", "CThreads", system],
    testDependencies: ["MoECore", "CKernels", "CThreads", "KernelCases", system]),
  Module(
    name: "MoERouting", dependencies: ["MoECore", "MoETensor"],
    testDependencies: ["MoECore", "MoETensor"]),
  Module(
    name: "MoEModels",
    dependencies: ["MoECore", "MoETokenizers", "MoETensor", "MoERouting", "CKernels", system],
    testDependencies: ["MoECore", "MoETokenizers", "MoETensor", "MoERouting", system]),
  Module(
    name: "MoEQuantization", dependencies: ["MoECore", "MoETensor", "MoEModels", system],
    testDependencies: ["MoECore", "MoETokenizers", "MoETensor", "MoEModels", system]),
  Module(name: "MoEParallel", dependencies: [mpi]),
  Module(
    name: "MoEData",
    dependencies: [
      "CBZip2", "CImages", "MoECore", "MoETokenizers", "MoETensor", "MoEModels", system,
    ],
    testDependencies: ["MoECore", "MoETokenizers", "MoETensor", "MoEModels", system]),
  Module(
    name: "MoEEvaluation",
    dependencies: [
      "MoECore", "MoETokenizers", "MoETracing", "MoETensor", "MoERouting", "MoEModels", "MoEData",
      system,
    ],
    testDependencies: [
      "MoECore", "MoETokenizers", "MoETracing", "MoETensor", "MoERouting", "MoEModels", "MoEData",
      system,
    ]),
  Module(
    name: "MoETraining",
    dependencies: [
      "MoECore", "MoETokenizers", "MoETensor", "MoERouting", "MoEModels", "MoEData",
      "MoEEvaluation", system,
    ],
    testDependencies: [
      "MoECore", "MoETokenizers", "MoETracing", "MoETensor", "MoERouting", "MoEModels", "MoEData",
      "MoEEvaluation", system,
    ]),
  Module(
    name: "MoEReport",
    dependencies: ["MoECore", "MoETracing", "MoEPlacement", "MoEEvaluation", system],
    testDependencies: ["MoECore", "MoETracing", "MoEPlacement", "MoEEvaluation", system]),
]

/// The functions of GCC's OpenMP runtime that `CThreads` defines.
///
/// Programs must export them, because libtorch's calls of them are bound when a program starts;
/// `Tests/MoETensorTests/OpenMPTests.swift` compares what is exported with the header.
let openMP = """
  GOMP_parallel GOMP_barrier GOMP_loop_static_start GOMP_loop_static_next GOMP_loop_dynamic_start
  GOMP_loop_dynamic_next GOMP_loop_guided_start GOMP_loop_guided_next
  GOMP_loop_nonmonotonic_dynamic_start GOMP_loop_nonmonotonic_dynamic_next
  GOMP_loop_nonmonotonic_guided_start GOMP_loop_nonmonotonic_guided_next
  GOMP_loop_ordered_dynamic_start GOMP_loop_ordered_dynamic_next GOMP_loop_end
  GOMP_loop_end_nowait GOMP_ordered_start GOMP_ordered_end GOMP_sections_start GOMP_sections_next
  GOMP_sections_end GOMP_sections_end_nowait GOMP_single_start GOMP_critical_start
  GOMP_critical_end GOMP_critical_name_start GOMP_critical_name_end GOMP_atomic_start
  GOMP_atomic_end omp_get_max_threads omp_set_num_threads omp_get_num_procs omp_get_num_threads
  omp_get_thread_num omp_in_parallel omp_get_dynamic omp_set_dynamic omp_get_nested omp_set_nested
  omp_get_max_active_levels omp_set_max_active_levels omp_get_wtime
  """

let native: [Target] = [
  .systemLibrary(name: "LibTorch", pkgConfig: "switchyard-torch"),
  .target(
    name: "CTorch", dependencies: ["LibTorch"], cSettings: strictC, cxxSettings: strictCXX),
  // Kernels are made of functions that must vanish into their callers, in debug builds too.
  .target(
    name: "CKernels", cSettings: strictC + [.unsafeFlags(["-O3"])],
    linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
  // Threads take turns within microseconds, in debug builds too.
  .target(
    name: "CThreads", cSettings: strictC + [.unsafeFlags(["-O2"])],
    linkerSettings: [
      .unsafeFlags(
        openMP.split(whereSeparator: \.isWhitespace).flatMap {
          ["-Xlinker", "--export-dynamic-symbol=\($0)"]
        }, .when(platforms: [.linux]))
    ]),
  .systemLibrary(name: "CHiGHS", pkgConfig: "switchyard-highs"),
  .systemLibrary(
    name: "CImages", pkgConfig: "switchyard-images",
    providers: [.apt(["libpng-dev", "libturbojpeg0-dev"]), .brew(["libpng", "jpeg-turbo"])]),
  .systemLibrary(
    name: "CBZip2", pkgConfig: "switchyard-bzip2",
    providers: [.apt(["libbz2-dev"]), .brew(["bzip2"])]),
  .systemLibrary(
    name: "CMPI", pkgConfig: "ompi-c", providers: [.apt(["libopenmpi-dev", "openmpi-bin"])]),
]

let program: [Target] = [
  .executableTarget(
    name: "switchyard",
    dependencies: [
      "MoECore", "MoETokenizers", "MoETracing", "MoEPlacement", "MoETensor", "MoEModels",
      "MoEQuantization", "MoEParallel", "MoEData", "MoEEvaluation", "MoETraining", "MoEReport",
      system, arguments,
    ],
    swiftSettings: strict),
  .testTarget(
    name: "SwitchyardTests",
    dependencies: [
      "switchyard", "MoETestSupport", "MoECore", "MoETokenizers", "MoETracing", "MoEPlacement",
      "MoETensor", "MoEModels", "MoEQuantization", "MoEData", "MoEEvaluation", "MoEReport",
      system,
    ],
    swiftSettings: strict),
  .target(
    name: "MoETestSupport", dependencies: ["MoECore", "MoETensor", system],
    path: "Tests/MoETestSupport",
    swiftSettings: strict),
  // In C, so that `Scripts/kernels-elsewhere` can run them where Swift does not.
  .target(
    name: "KernelCases", dependencies: ["CKernels"], path: "Tests/KernelCases",
    exclude: ["Program"], cSettings: strictC + [.unsafeFlags(["-O1"])],
    linkerSettings: [.linkedLibrary("m", .when(platforms: [.linux]))]),
]

let package = Package(
  name: "switchyard",
  platforms: [.macOS(.v15)],
  products: [.executable(name: "switchyard", targets: ["switchyard"])]
    + modules.map { .library(name: $0.name, targets: [$0.name]) },
  traits: [
    .trait(name: "MPI", description: "Run one model across ranks with MPI (needs Open MPI).")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.0"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: native + modules.flatMap(\.targets) + program,
  cxxLanguageStandard: .cxx20
)
