// swift-tools-version: 6.2
import PackageDescription

// A program with Millrace within it. Elsewhere the path would be a URL.
let package = Package(
    name: "embedding",
    dependencies: [
        .package(name: "millrace", path: "../../..")
    ],
    targets: [
        .executableTarget(
            name: "Embedding",
            dependencies: [.product(name: "JobRunner", package: "millrace")]
        )
    ]
)
