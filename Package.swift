// swift-tools-version: 6.2
import PackageDescription

let strict: [SwiftSetting] = [
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
]

/// For the target that imports CLinux: a C type that two modules know, such as `timespec`, belongs to
/// whichever the compiler read first, so that `MemberImportVisibility` would refuse it now and then.
let strictBesideC = Array(strict.dropLast())

let package = Package(
    name: "millrace",
    products: [
        .executable(name: "millrace", targets: ["millrace"]),
        .library(name: "JobRunner", targets: ["JobRunner"]),
        .library(name: "JobClient", targets: ["JobClient"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // C libraries of the system, named and nothing more.
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CSQLite", providers: [.apt(["libsqlite3-dev"])]),
        .systemLibrary(name: "CLinux"),

        // One thin Swift wrapper over each.
        .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: strict),
        .target(name: "SQLite", dependencies: ["CSQLite"], swiftSettings: strict),

        // The product, from pure to effectful.
        .target(name: "JobCore", swiftSettings: strict),
        .target(name: "JobWire", dependencies: ["JobCore"], swiftSettings: strict),
        .target(name: "JobStorage", dependencies: ["JobCore", "SQLite"], swiftSettings: strict),
        .target(
            name: "JobClient",
            dependencies: ["JobCore", "JobWire", "ZeroMQ"],
            swiftSettings: strict
        ),
        .target(
            name: "JobRunner",
            dependencies: [
                "CLinux", "JobClient", "JobCore", "JobStorage", "JobWire", "SQLite", "ZeroMQ",
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strictBesideC
        ),
        .executableTarget(
            name: "millrace",
            dependencies: [
                "JobClient", "JobCore", "JobRunner", "JobWire", "SQLite", "ZeroMQ",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        // The package in jobs/examples/embedding, built and run with the tests.
        .executableTarget(
            name: "embedding-example",
            dependencies: ["JobRunner"],
            path: "jobs/examples/embedding/Sources/Embedding",
            swiftSettings: strict
        ),

        // Ours alone: what tests share.
        .target(name: "JobTesting", dependencies: ["JobCore"], swiftSettings: strict),
        .executableTarget(
            name: "millrace-test-runner",
            dependencies: [
                "CSQLite", "JobCore", "JobRunner", "JobStorage", "JobWire", "SQLite",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        .testTarget(
            name: "ZeroMQTests",
            dependencies: ["ZeroMQ", "JobTesting"],
            swiftSettings: strict
        ),
        .testTarget(name: "SQLiteTests", dependencies: ["SQLite"], swiftSettings: strict),
        .testTarget(
            name: "JobCoreTests",
            dependencies: ["JobCore", "JobTesting"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JobWireTests",
            dependencies: ["JobCore", "JobWire", "JobTesting"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JobStorageTests",
            dependencies: ["JobStorage", "JobCore", "JobTesting", "SQLite"],
            exclude: ["Fixtures"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JobRunnerTests",
            dependencies: [
                "CLinux", "JobCore", "JobRunner", "JobStorage", "JobTesting", "JobWire", "SQLite",
                "ZeroMQ",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "JobClientTests",
            dependencies: ["JobClient", "JobCore", "JobWire", "ZeroMQ"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SettingsTests",
            dependencies: ["JobCore", "JobRunner", "JobTesting", "ZeroMQ"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "DocumentTests",
            dependencies: ["JobCore", "JobRunner", "JobTesting", "JobWire", "millrace"],
            swiftSettings: strict
        ),
        .testTarget(
            name: "MillraceTests",
            dependencies: [
                "JobClient", "JobCore", "JobRunner", "JobTesting", "JobWire", "ZeroMQ", "millrace",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict
        ),
        .testTarget(
            name: "SystemTests",
            dependencies: [
                "JobClient", "JobCore", "JobTesting", "JobWire", "SQLite", "ZeroMQ",
                "embedding-example", "millrace", "millrace-test-runner",
            ],
            exclude: [
                "event_client.py", "external_worker.py", "foreign_client.py", "majordomo_client.py",
                "terminal_client.py",
            ],
            swiftSettings: strict
        ),
        // What a fuzzer throws bytes at, and the test that repeats what was found.
        .target(
            name: "FuzzEntries",
            dependencies: ["JobCore", "JobRunner", "JobWire"],
            path: "Tests/FuzzEntries",
            swiftSettings: strict
        ),
        .testTarget(
            name: "FuzzCorpusTests",
            dependencies: ["FuzzEntries"],
            exclude: ["Corpus"],
            swiftSettings: strict
        ),
        .testTarget(name: "TidyTests", swiftSettings: strict),
    ]
)

// Only who makes the documentation fetches its plugin:
// MILLRACE_DOCUMENTATION=1 swift package generate-documentation --target JobRunner
if Context.environment["MILLRACE_DOCUMENTATION"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")
    )
}

// The program that libFuzzer drives has no `main` of its own: only deploy/fuzz builds it.
if Context.environment["MILLRACE_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "millrace-fuzz",
            dependencies: ["FuzzEntries"],
            path: "Tests/FuzzMain",
            swiftSettings: strict + [.unsafeFlags(["-parse-as-library"])]
        )
    )
}
