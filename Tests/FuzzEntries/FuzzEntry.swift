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
    case csv
    case settings
    /// Frames of an external worker's message, 0xFF between them, the command first.
    case workers

    public func read(_ bytes: [UInt8]) {
        switch self {
        case .frames: readFrames(bytes)
        case .json: readJSON(bytes)
        case .jobfile: readJobFile(bytes)
        case .csv: readCSV(bytes)
        case .settings: readSettings(bytes)
        case .workers: readWorkers(bytes)
        }
    }

    private static let catalog = Catalog(
        kernels: ["echo", "primes", "sum", "digest"],
        databases: ["archive": .read, "sales": .write],
        commands: Programs(["gzip": "/usr/bin/gzip"])
    )

    private func readFrames(_ bytes: [UInt8]) {
        let pieces = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map(Array.init)
        let heard = Ear(Self.catalog).hear([[1, 2, 3, 4, 5], [], Array("MDPC01".utf8)] + pieces)
        _ = Ear(Self.catalog).hear([[1, 2, 3, 4, 5]] + pieces)
        switch heard {
        case .request(.submit(let jobs, _, _), _): for job in jobs { check(job) }
        case .request(.call(let job, _), _): checkCall(job.spec, Array(pieces.dropFirst()))
        case .request(.titanicRequest(let job), _):
            checkCall(job.spec, Array(pieces.dropFirst(2)))
            precondition(job.spec.titanicToken != nil, "an id cannot be guessed")
        case .request(.titanicReply(let id), let caller):
            let text = answer(.titanicID(id), to: caller).last ?? []
            let said = String(decoding: pieces[1], as: UTF8.self).lowercased()
            precondition(text == Array(said.utf8), "an id is written as it is read")
        case .refused(let message): checkAnswer(message.reply, to: message.to)
        case .request, .dropped: break
        }
    }

    private func readWorkers(_ bytes: [UInt8]) {
        let pieces = bytes.split(separator: 0xFF, omittingEmptySubsequences: false).map(Array.init)
        _ = ExternalEnvelope([[1, 2]] + pieces)?.word()
        let frames = [[1, 2], [], Array("MDPW01".utf8)] + pieces
        guard let envelope = ExternalEnvelope(frames) else { return }
        _ = envelope.wordTooLarge(most: 1)
        switch envelope.word() {
        case .reply(let address, _), .failure(let address, _):
            let message = ExternalMessage(
                to: envelope.peer,
                .request(address, body: Array(#"{"kernel":"a"}"#.utf8), frames: [])
            )
            let said = (try? JobWire.frames(for: message))?[4]
            precondition(said == pieces[1], "an address is written as it is read")
        case .ready(let kernel): precondition(KernelName.isFit(kernel), "names keep their rules")
        case .heartbeat, .disconnect, .unreadable: break
        }
    }

    /// What a job takes from others is not there yet: anything may be.
    private func check(_ job: Submission) {
        let sources = job.after.filter(\.givesResult).map {
            Source(JobID(rawValue: 1), name: $0.name)
        }
        guard !sources.isEmpty else { return check(job.spec) }
        var waiting = Waiting(
            id: JobID(rawValue: 2),
            next: Attempt(rawValue: 1),
            readyAt: Timestamp(rawValue: 0),
            spec: job.spec
        )
        waiting.sources = sources
        let order = Order(sequence: 1, job: waiting)
        for text in ["1", #"{"rows":[[1,"a"]]}"#] {
            let given = sources.map { GivenResult($0, format: .json, bytes: Array(text.utf8)) }
            guard let filled = try? order.filled(with: given, atMost: 1 << 20) else { continue }
            precondition(filled.sources.isEmpty, "what is filled takes nothing any more")
            _ = try? Work(filled)
        }
    }

    private func check(_ spec: Spec) {
        let isWhole =
            switch spec.kind {
            case .sql: (try? SQLWork(spec.body, frames: spec.frames)).map(areRowsWhole) ?? false
            case .compute: (try? ComputeWork(spec.body, frames: spec.frames)) != nil
            case .command: (try? CommandWork(spec.body, frames: spec.frames)) != nil
            }
        precondition(isWhole, "what is accepted can be read by a worker")
    }

    private func areRowsWhole(of work: SQLWork) -> Bool {
        guard let rows = work.each else { return true }
        guard var reader = try? rows.reader() else { return false }
        do {
            while try reader.next() != nil {}
            return true
        } catch {
            return false
        }
    }

    /// A call's frames are echoed as they are, and do no harm to a kernel that wants JSON.
    private func checkCall(_ spec: Spec, _ sent: [[UInt8]]) {
        check(spec)
        let frames = sent.isEmpty ? [[]] : sent
        precondition(spec.frames.map(\.bytes) == frames, "a call's frames are what was sent")
        let input = KernelInput(call: frames)
        precondition((try? input.json()) != nil, "a call's input is JSON, or refers to frames")
        let kernels = KernelRegistry.standard
        let echoed = try? kernels["echo"]?.compute(input, KernelRun())
        let bytes = echoed?.bytes ?? []
        let same = echoed?.format == .frames ? FrameList.split(bytes) : [bytes]
        precondition(same == frames, "echo gives every frame back")
        _ = try? kernels["sum"]?.compute(input, KernelRun())
        _ = try? kernels["digest"]?.compute(input, KernelRun())
        _ = frames.first.flatMap(FrameList.split)
    }

    /// What clients of Majordomo and Titanic take apart: they cannot bear less.
    private func checkAnswer(_ reply: Reply, to caller: Caller) {
        let said = answer(reply, to: caller)
        let digits = said.first ?? []
        let areDigits = digits.count == 3 && digits.allSatisfy { (0x30...0x39).contains($0) }
        precondition(areDigits, "a refusal begins with three digits")
    }

    /// What is said behind the service.
    private func answer(_ reply: Reply, to caller: Caller) -> [[UInt8]] {
        let message = Message(to: caller, reply)
        return Array(JobWire.frames(for: message, now: Timestamp(rawValue: 0)).dropFirst(4))
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
                let jobs = try format.submissions(
                    in: bytes,
                    rows: { _ throws(RowsProblem) in bytes },
                    parse: { (job, frames) throws(Refusal) in try reader.job(job, frames: frames) }
                )
                precondition(!jobs.isEmpty, "a file that is accepted has jobs")
            } catch {
                precondition(error.place.line >= 1, "an error has a place")
            }
        }
    }

    /// As a worker reads it, twice: to check and to run.
    private func readCSV(_ bytes: [UInt8]) {
        do throws(CSVError) {
            var skipping = try CSVReader(bytes)
            var reading = skipping
            while try skipping.skip() {
                let row = try reading.next()
                precondition(row?.count == reading.columns.count, "each column has a value")
            }
            let rest = try reading.next()
            precondition(rest == nil, "rows are skipped as they are read")
        } catch {
            precondition(error.line >= 1 && error.column >= 1, "an error has a place")
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
