internal import CLinux
internal import Glibc
internal import JobCore
internal import JobWire
internal import Logging

/// What a runner's commands have in common.
struct CommandPlan: Sendable {
    let programs: Programs
    /// Where each attempt has its room.
    let rooms: String
    let memoryBytes: Int64
    let resultBytes: Int
    /// How long a program has to obey when it is asked to end.
    let patience: Duration

    /// The longest patience.
    private static let mostPatience = Duration.seconds(2)

    init(_ settings: Settings, rooms: String) {
        programs = settings.commands
        self.rooms = rooms
        memoryBytes = settings.commandMemoryBytes
        resultBytes = settings.limits.resultBytes
        // Sooner than the dispatcher gives the worker up.
        patience = min(Self.mostPatience, .milliseconds(settings.stuckMs / 2))
    }
}

/// Runs one command: in a room of its own, kept by a keeper, with its streams in our hands.
struct CommandRun {
    /// Why there is no ending to tell.
    enum Broken: Error {
        /// There is no room, or no keeper, for the time being. The job has no part in it.
        case notBegun(SystemError)
        /// The keeper has ended although nobody told it to.
        case lost
    }

    /// How long what a lost keeper has left may take to go.
    private static let leftoversPatience = Duration.seconds(5)

    let work: CommandWork
    let order: Order
    let plan: CommandPlan
    let run: KernelRun
    let post: WorkerPost
    let log: Logger

    func ending() throws(Broken) -> Report.Ending {
        let word = work.words.first ?? ""
        guard let program = plan.programs.path(of: word) else { return .failed(.notAllowed(word)) }

        let stage = try open()
        defer {
            stage.keeper.end()
            stage.room.removeOrTell(log)
        }
        post.interrupting { [bell = stage.bell] in bell.put(true) }
        do throws(FrameChannel.Closed) {
            try stage.keeper.launch(launch(program, in: stage.room))
            return try ending(of: program, on: stage)
        } catch {
            clearAway(after: stage)
            throw .lost
        }
    }

    private struct Stage {
        let room: CommandRoom
        let keeper: Keeper
        let session: CommandSession?
        let bell: Mailbox<Bool>
    }

    private func open() throws(Broken) -> Stage {
        do throws(SystemError) {
            let ring = clinux_eventfd()
            guard ring >= 0 else { throw .last("make an eventfd") }
            let bell = Mailbox<Bool>(ring)
            let room = try CommandRoom(for: order, in: plan.rooms)
            do throws(SystemError) {
                let keeper = try Keeper.start()
                let session = CommandSession(of: keeper.process)
                if let session { try room.note(session) }
                return Stage(room: room, keeper: keeper, session: session, bell: bell)
            } catch {
                room.removeOrTell(log)
                throw error
            }
        } catch {
            throw .notBegun(error)
        }
    }

    private func ending(
        of program: String,
        on stage: Stage
    ) throws(FrameChannel.Closed) -> Report.Ending {
        var stop = CommandStop(stage.keeper, run, bell: stage.bell, patience: plan.patience)
        var exchange = Exchange(stage.keeper, input: work.input, mostBytes: plan.resultBytes)
        let end = try exchange.run(&stop)
        if exchange.isTooLarge { return .failed(.resultTooLarge(mostBytes: plan.resultBytes)) }
        switch end {
        case .notStarted(let code): return .failed(.notStarted(program, code))
        case .ended(.exit(0)) where !stop.hasAsked:
            let format: ResultFormat = isUTF8(exchange.output) ? .text : .bytes
            let stderr = exchange.errors.text
            return .succeeded(Outcome(format: format, bytes: exchange.output, stderr: stderr))
        case .ended(let end): return .failed(.ended(end, saying: exchange.errors.text))
        }
    }

    /// The keeper was killed, and its program with it; the others of its session may be left.
    private func clearAway(after stage: Stage) {
        stage.keeper.end()
        guard let session = stage.session else { return }
        if !session.end(patience: Self.leftoversPatience) {
            let job: Logger.Metadata = ["job": "\(order.job.rawValue)"]
            log.error("What a command has left does not end.", metadata: job)
        }
    }

    private func launch(_ program: String, in room: CommandRoom) -> Launch {
        Launch(
            program: program,
            arguments: [program] + work.words.dropFirst(),
            environment: environment(home: room.workingDirectory),
            workingDirectory: room.workingDirectory,
            memoryBytes: plan.memoryBytes
        )
    }

    /// Nothing of it is the runner's own.
    private func environment(home: String) -> [String] {
        var variables = [
            CommandWork.Variable("PATH", "/usr/local/bin:/usr/bin:/bin"),
            CommandWork.Variable("HOME", home),
            CommandWork.Variable("LANG", "C.UTF-8"),
        ]
        for given in work.environment {
            variables.removeAll { $0.name == given.name }
            variables.append(given)
        }
        return variables.map { "\($0.name)=\($0.value)" }
    }
}

private func isUTF8(_ bytes: [UInt8]) -> Bool {
    do {
        _ = try UTF8Span(validating: bytes.span)
        return true
    } catch {
        return false
    }
}

extension Failure {
    /// Unicode scalars of a command's standard error that stand in a failure's sentence. With what
    /// stands before them they are fewer than `sentenceLength`.
    private static let saidScalars = 800

    fileprivate static func notAllowed(_ word: String) -> Failure {
        Failure(
            .denied,
            "Jobs may not run \(quoted(word)).",
            hint: "The settings allow those programs that stand under commands.",
            isPermanent: true
        )
    }

    fileprivate static func notStarted(_ program: String, _ code: CInt) -> Failure {
        var failure = Failure(
            .exitCode,
            "\(program) cannot be started: \(String(cString: strerror(code))).",
            hint: "Look at the program, and at the settings under commands.",
            isPermanent: [ENOENT, ENOTDIR, EACCES, ENOEXEC, ELOOP, E2BIG].contains(code)
        )
        failure.exitCode = code == ENOENT ? 127 : 126
        return failure
    }

    fileprivate static func ended(_ end: ChildEnd, saying stderr: String) -> Failure {
        let how =
            switch end {
            case .signal(let signal): "The program was ended by signal \(signal)"
            case .exit, .unknown: "The program ended with exit code \(end.code)"
            }
        let begun = stderr.drop(while: \.isWhitespace)
        let said = String(begun.reversed().drop(while: \.isWhitespace).reversed())
        let last = String(String.UnicodeScalarView(said.unicodeScalars.suffix(saidScalars)))
        let words = last == said ? said : "…" + last
        var failure = Failure(.exitCode, said.isEmpty ? how + "." : "\(how): \(words)")
        failure.exitCode = Int(end.code)
        return failure
    }
}
