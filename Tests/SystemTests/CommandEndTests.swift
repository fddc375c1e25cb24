import Foundation
import Glibc
import JobTesting
import JobWire
import Testing

/// How commands end that do not end by themselves: nothing of them is left, whoever ends them.
@Suite struct CommandEndTests {
    /// Notes its own process and three others: one that stays in its group, one that has left it,
    /// and one whose parent is gone. Then it waits.
    private static let crowd = """
        sleep 600 & one=$!
        setsid sleep 600 & two=$!
        (sleep 600 & echo $! >"$NOTE.three")
        echo $$ $one $two $(cat "$NOTE.three") >"$NOTE"
        wait
        """

    @Test(arguments: ["", "trap '' TERM;"])
    func `a time-out ends all that the program has started`(before: String) throws {
        let stage = try CommandStage()
        let id = try stage.submit(before + Self.crowd, ["timeout_ms": 4_000])
        let processes = try stage.noted()
        try #require(processes.count == 4)
        let said = try stage.client.result(id)
        #expect(said.errorCode == "timeout", "\(said.head)")
        try stage.expectGone(processes)
        #expect(try stage.rooms.isEmpty)
        #expect(try stage.client.run == 1 && stage.runner.readyCount == 1)
    }

    @Test func `a cancel ends all that the program has started`() throws {
        let stage = try CommandStage()
        let id = try stage.submit(Self.crowd)
        let processes = try stage.noted()
        try stage.client.waitUntilRunning(id)
        #expect(try stage.client.ask("job.cancel", #"{"id":\#(id)}"#)["count"] == 1)
        #expect(try stage.client.result(id).state == "cancelled")
        try stage.expectGone(processes)
        #expect(try stage.run("echo next").text == "next\n")
        try eventually("no room is left") { () -> Void? in try stage.rooms.isEmpty ? () : nil }
        #expect(stage.runner.readyCount == 1)
    }

    @Test func `a program is asked to end before it is made to`() throws {
        let stage = try CommandStage()
        let script = """
            trap 'echo asked >>"$NOTE"; exit 0' TERM
            echo 1 >"$NOTE"; while true; do sleep 0.01; done
            """
        let id = try stage.submit(script, ["timeout_ms": 3_000])
        // That it then ends with 0 makes it no success.
        #expect(try stage.client.result(id).errorCode == "timeout")
        #expect(try String(contentsOfFile: stage.note, encoding: .utf8) == "1\nasked\n")
    }

    @Test func `what a program leaves behind ends with it`() throws {
        let stage = try CommandStage()
        let said = try stage.run(Self.crowd.replacing("\nwait", with: "\necho done"))
        #expect(said.text == "done\n")
        for process in try stage.noted() { #expect(!isAlive(process), "\(process)") }
        #expect(try stage.rooms.isEmpty)
    }

    @Test func `a stop puts it back uncounted, and leaves nothing of it`() throws {
        let stage = try CommandStage()
        let id = try stage.submit(Self.crowd)
        let processes = try stage.noted()
        try stage.client.waitUntilRunning(id)
        stage.runner.process.signal(SIGTERM)
        #expect(try stage.runner.process.waitForEnd() == 0)
        for process in processes { #expect(!isAlive(process), "\(process)") }
        #expect(try stage.rooms.isEmpty)

        try FileManager.default.removeItem(atPath: stage.note)
        try stage.runner.restart()
        let client = try Conversation(stage.runner.ipc)
        try client.waitUntilRunning(id)
        #expect(try client.show(id)["attempts"] == [])
    }

    /// The first time it waits, with others; the second time it ends.
    private static let twice = """
        test -e "$NOTE" && { echo again; exit; }
        \(crowd)
        """

    @Test func `a runner that is killed leaves no orphan, and the job runs again`() throws {
        let stage = try CommandStage()
        let id = try stage.submit(Self.twice)
        let processes = try stage.noted()
        try stage.client.waitUntilRunning(id)
        kill(try stage.runner.worker(), SIGKILL)
        try stage.expectGone(processes)
        try stage.runner.waitUntilReady(times: 2)
        let client = try Conversation(stage.runner.ipc)
        #expect(try client.result(id).text == "again\n")
        #expect(try client.show(id)["attempt"] == 2)
        #expect(try stage.rooms.isEmpty)
    }

    @Test func `a keeper that is killed costs an attempt, and takes all of its session along`()
        throws
    {
        let stage = try CommandStage()
        let id = try stage.submit(Self.twice.replacing("setsid ", with: ""))
        let processes = try stage.noted()
        let keeper = try #require(try children(of: stage.runner.worker()).first)
        kill(keeper, SIGKILL)
        let said = try stage.client.result(id)
        #expect(said.text == "again\n", "\(said.head)")
        for process in processes { #expect(!isAlive(process), "\(process)") }
        let attempts = try stage.client.show(id)["attempts"]?.arrayValue ?? []
        #expect(attempts.map { $0["error"]?["code"] } == ["lost"])
        #expect(try stage.rooms.isEmpty)
        #expect(stage.runner.readyCount == 1)
    }

    @Test func `what outlives keeper and runner ends before the job runs again`() throws {
        let stage = try CommandStage(supervised: false)
        let script = Self.twice.replacing("setsid ", with: "")
        let id = try stage.submit(script)
        let processes = try stage.noted()
        try stage.client.waitUntilRunning(id)
        let keeper = try #require(try children(of: stage.runner.worker()).first)
        kill(keeper, SIGSTOP)
        try stage.runner.killAll()
        kill(keeper, SIGKILL)
        try stage.runner.waitForEnd(of: processes[0])
        for process in processes.dropFirst() { try #require(isAlive(process), "\(process)") }
        let rooms = try stage.rooms
        try #require(rooms.count == 1)

        try stage.runner.restart()
        for process in processes { #expect(!isAlive(process), "\(process)") }
        // The job has perhaps begun again, in a room of its own.
        #expect(try Set(stage.rooms).isDisjoint(with: rooms))
        #expect(try Conversation(stage.runner.ipc).result(id).text == "again\n")
    }

    @Test func `a keeper hears of nothing but its runner`() throws {
        let stage = try CommandStage()
        let id = try stage.submit(#"echo $PPID >"$NOTE"; sleep 0.5; echo done"#)
        let keeper = try #require(try stage.noted().first)
        // As systemd does it, to all of a service at once.
        for signal in [SIGTERM, SIGINT, SIGHUP] { kill(keeper, signal) }
        #expect(try stage.client.result(id).text == "done\n")
    }
}
