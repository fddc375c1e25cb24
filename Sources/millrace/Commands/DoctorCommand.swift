internal import ArgumentParser
internal import JobCore
internal import JobRunner
internal import JobWire

/// `millrace doctor`: is the store well, and what it lives in.
struct DoctorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Look for what is wrong with the store, and change nothing.",
        discussion: """
            Works beside a runner and without one, on a store that is well and on one that is not.
            The exit code is 1 when something is wrong.

            Examples:
              millrace doctor
              millrace doctor --state /var/lib/millrace --full --json
            """
    )

    @Flag(help: "Look at indices, and read all work and results, as well.")
    var full = false

    @OptionGroup(title: "Settings") var place: StateOptions

    @Flag(help: "Print JSON for programs.")
    var json = false

    func run() throws {
        let settings = try Settings(reading: place.sources)
        let findings = Doctor(settings).examine(whole: full)
        if json {
            Console.print(
                .array(
                    findings.map { finding in
                        [
                            "subject": .string(finding.subject), "good": .bool(finding.isGood),
                            "words": .string(finding.words),
                        ]
                    }
                )
            )
        } else {
            var table = Table(["", "", ""])
            for finding in findings {
                let sign = Table.Cell(
                    finding.isGood ? "ok" : "BAD",
                    finding.isGood ? .good : .bad
                )
                table.add([sign, Table.Cell(finding.subject), Table.Cell(finding.words)])
            }
            Console.print(table)
        }
        if findings.contains(where: { !$0.isGood }) { throw ExitCode.failure }
    }
}
