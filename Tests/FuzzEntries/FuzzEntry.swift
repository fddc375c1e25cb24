internal import Glibc
internal import JobCore
internal import JobRunner
internal import JobWire

/// Where bytes from outside come in. Each entry reads any bytes at all as the program would, and
/// traps where a promise about them is broken: what is accepted must be whole.
public enum FuzzEntry: String, CaseIterable, Sendable {
    /// Frames of a client's message, 0xFF between them, the service first.
    case frames
    case json
    /// A job file, in every format.
    case jobfile
    case settings

    public func read(_ bytes: [UInt8]) {
        switch self {
        case .frames: readFrames(bytes)
        case .json: readJSON(bytes)
        case .jobfile: readJobFile(bytes)
        case .settings: readSettings(bytes)
        }
    }

    private static let catalog = Catalog(
        kernels: ["echo", "primes", "sum", "digest"],
        databases: ["archive": .read, "sales": .write]
    )

    private func readFrames(_ bytes: [UInt8]) {
        let pieces = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map(Array.init)
        let heard = Ear(Self.catalog).hear([[1, 2, 3, 4, 5], [], Array("MDPC01".utf8)] + pieces)
        _ = Ear(Self.catalog).hear([[1, 2, 3, 4, 5]] + pieces)
        guard case .request(.submit(let jobs, _, _), _) = heard else { return }
        for job in jobs {
            let isWhole =
                switch job.spec.kind {
                case .sql: (try? SQLWork(job.spec.body, frames: job.spec.frames)) != nil
                case .compute: (try? ComputeWork(job.spec.body, frames: job.spec.frames)) != nil
                }
            precondition(isWhole, "what is accepted can be read by a worker")
        }
    }

    private func readJSON(_ bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes) else { return }
        let again = try? JSON(parsing: json.encoded())
        precondition(again == json, "what was read is read again from what is written of it")
    }

    private func readJobFile(_ bytes: [UInt8]) {
        let reader = JobReader(Self.catalog)
        for format in JobFile.allCases {
            do throws(JobFileProblem) {
                let jobs = try format.submissions(in: bytes) { bytes throws(Refusal) in
                    try reader.job(bytes)
                }
                precondition(!jobs.isEmpty, "a file that is accepted has jobs")
            } catch {
                precondition(error.place.line >= 1, "an error has a place")
            }
        }
    }

    private func readSettings(_ bytes: [UInt8]) {
        let path = "/tmp/millrace-fuzz-\(getpid()).yaml"
        let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
        guard file >= 0 else { return }
        _ = write(file, bytes, bytes.count)
        close(file)
        defer { unlink(path) }
        var sources = SettingsSources(environment: [:], workingDirectory: "/", cores: 2)
        sources.flags.settingsFile = path
        _ = try? Settings(reading: sources)
    }
}
