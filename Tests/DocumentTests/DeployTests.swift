internal import Foundation
internal import JobTesting
internal import Testing

/// The scripts of `deploy/`, with stand-ins on the PATH for what they would build and install.
@Suite("Deploy") struct DeployTests {
    private let directory: TemporaryDirectory

    init() throws { directory = try TemporaryDirectory() }

    private func run(
        _ command: String,
        _ environment: [String: String] = [:]
    ) throws -> (code: Int32, errors: String) {
        var environment = RunnerProcess.environment.merging(environment) { $1 }
        environment["PATH"] = directory.path + ":" + (environment["PATH"] ?? "/usr/bin:/bin")
        let child = try ChildProcess(
            "/bin/bash",
            ["-c", command],
            environment: environment,
            directory: directory.path
        )
        return (try child.waitForEnd(), child.errors)
    }

    @Test func `a quickstart talks to its own runner, whatever the shell has for another`() throws {
        let heard = directory.path + "/heard"
        try directory.program(
            "swift",
            """
            case "$*" in
                --version) echo "Swift version 6.3 (stand-in)" ;;
                *--show-bin-path) echo "\(directory.path)" ;;
            esac
            """
        )
        try directory.program(
            "millrace",
            """
            { echo "$1:"; env | grep ^MILLRACE_; } >>"\(heard)"
            [ "$1" = serve ] || exit 1
            echo "millrace takes jobs at ipc://somewhere"
            until grep -q ^submit: "\(heard)"; do sleep 0.1; done
            """
        )
        let ended = try run(
            Document.root + "/deploy/quickstart",
            [
                "MILLRACE_CONNECT": "tcp://production:5555",
                "MILLRACE_SETTINGS": "/etc/theirs.yaml", "MILLRACE_SECRET_KEY": "/etc/key",
            ]
        )
        #expect(ended.code != 0, "The stand-in takes no jobs.")
        let own = "MILLRACE_STATE=.build/quickstart"
        let text = try String(contentsOfFile: heard, encoding: .utf8)
        #expect(text == "serve:\n\(own)\nsubmit:\n\(own)\n")
    }

    @Test func `what is installed can be read by everybody, whatever the mask of root's shell`()
        throws
    {
        for name in ["systemd-sysusers", "systemd-tmpfiles"] { try directory.program(name, "") }
        try directory.program("id", "echo 0")
        let install = Document.root + "/deploy/install --binary /bin/true --root "
        let ended = try run("umask 077; \(install)\(directory.path)")
        #expect(ended.code == 0, "\(ended.errors)")
        for (place, mode) in [
            ("etc/millrace", 0o755), ("etc/millrace/millrace.yaml", 0o644), ("usr/bin", 0o755),
            ("usr/bin/millrace", 0o755),
        ] {
            let found = try FileManager.default.attributesOfItem(
                atPath: directory.path + "/" + place
            )
            #expect(found[.posixPermissions] as? Int == mode, "\(place)")
        }
    }

    /// It ends at the first match, and who still writes to it fails the whole pipe.
    @Test func `no script pipes into a quiet grep`() throws {
        let folder = Document.root + "/deploy/"
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
            guard let text = try? String(contentsOfFile: folder + name, encoding: .utf8) else {
                continue  // A folder.
            }
            #expect(!text.contains(/\|\s*grep -[a-zA-Z]*q/), "\(name)")
        }
    }
}
