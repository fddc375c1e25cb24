// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

let package = Package(
    name: "millrace",
    targets: [
        // C libraries of the system, named and nothing more.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),

        // One thin Swift wrapper over each.
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: strict),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: strict),

        // The product, from pure to effectful.
        .target(name: "JobCore", swiftSettings: strict),
        .target(name: "JobWire", dependencies: ["JobCore"], swiftSettings: strict),

        // Ours alone: what tests share.
        .target(name: "JobTesting", dependencies: ["JobCore"], swiftSettings: strict),

        .testTarget(name: "ZeroMQTests", dependencies: ["ZeroMQ"], swiftSettings: strict),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite"], swiftSettings: strict),
        .testTarget(
            name: "JobCoreTests",
            dependencies: ["JobCore", "JobTesting"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JobWireTests",
            dependencies: ["JobWire", "JobTesting"],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)
