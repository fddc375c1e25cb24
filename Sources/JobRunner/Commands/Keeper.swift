internal import CLinux
internal import Glibc

/// A worker's end of a `CommandKeeper`: the process, the channel to it, and the other ends of the
/// standard streams that the command's program has.
///
/// Belongs to the worker's thread. With it the keeper ends, and with that the command.
final class Keeper {
    /// The program's standard streams, in the order of their numbers.
    enum Stream: Int, CaseIterable {
        case input, output, errors
    }

    let process: pid_t
    let channel: FrameChannel
    /// Our ends, by stream; -1 where it was closed.
    private var ends: [CInt]
    private var hasEnded = false

    private init(_ process: pid_t, _ channel: FrameChannel, _ ends: [CInt]) {
        self.process = process
        self.channel = channel
        self.ends = ends
    }

    deinit { end() }

    /// Starts a keeper, which waits to be told what to launch.
    static func start() throws(SystemError) -> Keeper {
        var ours: [CInt] = []
        var others: [CInt] = []
        defer { for end in others { Glibc.close(end) } }
        do throws(SystemError) {
            for stream in Stream.allCases {
                var ends: [CInt] = [-1, -1]
                guard clinux_pipe(&ends) == 0 else { throw .last("make a pipe") }
                let (our, other) = stream == .input ? (ends[1], ends[0]) : (ends[0], ends[1])
                _ = fcntl(our, F_SETFL, O_NONBLOCK)
                ours.append(our)
                others.append(other)
            }
            let (our, other) = try FrameChannel.pair()
            ours.append(our)
            others.append(other)
            let process = try spawnSelf(
                CommandKeeper.arguments,
                giving: zip(others, 0...CommandKeeper.descriptor).map { ($0, as: $1) },
                apart: .session,
                // Whoever stops all processes of a service means the runner, which drains first.
                blocking: [SIGTERM, SIGINT, SIGHUP],
                to: "start a keeper for a command"
            )
            return Keeper(process, FrameChannel(descriptor: our), Array(ours.dropLast()))
        } catch {
            for end in ours { Glibc.close(end) }
            throw error
        }
    }

    // MARK: Words

    func launch(_ launch: Launch) throws(FrameChannel.Closed) { try channel.send(launch.frames) }

    /// For the program and its process group. One that is gone hears nothing.
    func pass(_ signal: CInt) { try? channel.send(PassedSignal(signal).frames) }

    /// To be called when the channel is readable.
    func hearEnd() throws(FrameChannel.Closed) -> KeptEnd {
        try KeptEnd(channel.receive(atMost: 64))
    }

    // MARK: Streams

    /// To be polled; a negative number, which is passed over, when it was closed.
    func descriptor(of stream: Stream) -> CInt { ends[stream.rawValue] }

    func close(_ stream: Stream) {
        let end = ends[stream.rawValue]
        if end >= 0 { Glibc.close(end) }
        ends[stream.rawValue] = -1
    }

    /// Closes everything. A keeper that has not told the end ends the command now; it is waited for
    /// in any case.
    func end() {
        if hasEnded { return }
        hasEnded = true
        for stream in Stream.allCases { close(stream) }
        Glibc.close(channel.descriptor)
        while waitpid(process, nil, 0) < 0, errno == EINTR {}
    }
}
