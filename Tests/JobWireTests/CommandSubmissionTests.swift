import JobCore
import JobWire
import Testing

/// Commands as clients write them: what may be run, with what, and within which bounds.
struct CommandSubmissionTests {
    @Test func `every field of a command is read, and its input kept byte for byte`() throws {
        let found = try submission(
            #"{"input":"\u0041" ,"command": ["gzip", "-9"],"env":{"A":"b"},"kind":"command"}"#
        )
        #expect(found.spec.kind == .command)
        #expect(
            text(found.spec.body) == #"{"command":["gzip","-9"],"env":{"A":"b"},"input":"\u0041"}"#
        )
        #expect(found.spec.writes == nil && !found.spec.isPure)
        let bare = try submission(#"{"command":["/usr/bin/gzip"]}"#)
        #expect(text(bare.spec.body) == #"{"command":["/usr/bin/gzip"]}"#)
        #expect(bare.spec.kind == .command)
    }

    @Test func `runs of one program are expected to take alike`() throws {
        let sorts = try [#"["gzip"]"#, #"["gzip","-9"]"#, #"["sort"]"#].map {
            try submission(#"{"command":\#($0)}"#).spec.sort
        }
        #expect(sorts[0] == sorts[1] && sorts[0] != sorts[2])
    }

    @Test func `frames are handed on with the input that refers to them`() throws {
        let frames: [[UInt8]] = [[1, 2, 3]]
        let found = try submission(#"{"command":["gzip"],"input":{"$frame":2}}"#, frames: frames)
        #expect(found.spec.frames == [Spec.Frame(number: 2, bytes: frames[0])])
    }

    private static let word = String(repeating: "x", count: Limits.wordBytes)
    private static let words = [String](repeating: #""a""#, count: 999).joined(separator: ",")
    private static let variables = (0..<1_000).map { #""A\#($0)":"""# }.joined(separator: ",")

    @Test(arguments: [
        (#""command":["gzip"]"#, "ok"), (#""command":["/usr/bin/sort","-k","1"]"#, "ok"),
        (#""command":["sh"]"#, "403 denied command"),
        (#""command":["/bin/sh"]"#, "403 denied command"),
        (#""command":["usr/bin/gzip"]"#, "403 denied command"),
        (#""command":["/usr/bin/../bin/gzip"]"#, "403 denied command"),
        (#""command":[]"#, "422 out_of_bounds command"),
        (#""command":"gzip""#, "422 wrong_type command"),
        (#""command":[1]"#, "422 wrong_type command[0]"),
        (#""command":["gzip",{"$frame":2}]"#, "422 missing_frame command"),
        (#""command":[""]"#, "422 out_of_bounds command[0]"),
        (#""command":["gzip",""]"#, "ok"),
        (#""command":["gzip","a\u0000b"]"#, "422 invalid_value command[1]"),
        (#""command":["gzip","\#(word)"]"#, "ok"),
        (#""command":["gzip","\#(word)x"]"#, "422 out_of_bounds command[1]"),
        (#""command":["gzip",\#(words)]"#, "ok"),
        (#""command":["gzip","a",\#(words)]"#, "422 out_of_bounds command"),
        (#""command":["gzip"],"env":{}"#, "ok"),
        (#""command":["gzip"],"env":[]"#, "422 wrong_type env"),
        (#""command":["gzip"],"env":{"A":1}"#, "422 wrong_type env.A"),
        (#""command":["gzip"],"env":{"A":"a\u0000"}"#, "422 invalid_value env.A"),
        (#""command":["gzip"],"env":{"":"a"}"#, "422 invalid_value env."),
        (#""command":["gzip"],"env":{"A=B":"a"}"#, "422 invalid_value env.A=B"),
        (#""command":["gzip"],"env":{"A":"a","A":"b"}"#, "400 malformed_json -"),
        (#""command":["gzip"],"env":{"LD_PRELOAD":"/tmp/x.so"}"#, "403 denied env.LD_PRELOAD"),
        (#""command":["gzip"],"env":{"GCONV_PATH":"/tmp"}"#, "403 denied env.GCONV_PATH"),
        (#""command":["gzip"],"env":{"PATH":"/bin","HOME":"/","LANG":"C"}"#, "ok"),
        (#""command":["gzip"],"env":{"A":"\#(word.dropLast(2))"}"#, "ok"),
        (#""command":["gzip"],"env":{"A":"\#(word.dropLast(1))"}"#, "422 out_of_bounds env.A"),
        (#""command":["gzip"],"env":{\#(variables)}"#, "ok"),
        (#""command":["gzip"],"env":{"B":"",\#(variables)}"#, "422 out_of_bounds env"),
        (#""command":["gzip"],"input":"x""#, "ok"), (#""command":["gzip"],"input":null"#, "ok"),
        (#""command":["gzip"],"input":7"#, "422 wrong_type input"),
        (#""input":["x"],"command":["gzip"]"#, "422 wrong_type input"),
        (#""command":["gzip"],"input":{"$frame":3}"#, "422 missing_frame input"),
        (#""command":["gzip"],"input":{"base64":"AA=="}"#, "422 wrong_type input"),
        (#""command":["gzip"],"parts":2"#, "422 conflicting_fields parts"),
        (#""command":["gzip"],"format":"csv""#, "422 conflicting_fields format"),
        (#""command":["gzip"],"kind":"compute""#, "422 conflicting_fields command"),
        (#""command":["gzip"],"kernel":"echo""#, "422 conflicting_fields command"),
    ])
    func `a command is taken within its bounds only`(fields: String, expected: String) {
        #expect(outcome("job.submit", "{\(fields)}") == expected)
    }

    /// An allowed script is a fence only if nobody can make its shell or interpreter run more.
    @Test(arguments: [
        "LD_AUDIT", "GLIBC_TUNABLES", "BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "IFS",
        "BASH_FUNC_ls%%", "PERL5OPT", "PERL5LIB", "PERL5DB", "PYTHONPATH", "PYTHONSTARTUP",
        "PYTHONHOME", "PYTHONWARNINGS", "RUBYOPT", "RUBYLIB", "NODE_OPTIONS", "NODE_PATH",
        "LUA_INIT", "LUA_INIT_5_4", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS", "PHPRC", "ZDOTDIR",
    ])
    func `no variable is given by which a program would load other code`(name: String) {
        let job = #"{"command":["gzip"],"env":{"A":"","\#(name)":"x"}}"#
        #expect(outcome("job.submit", job) == "403 denied env.\(name)")
        #expect(outcome("job.submit", job.replacing(name, with: "MY_\(name)")) == "ok")
    }

    @Test func `who may not run a program is told which there are`() throws {
        let near = refusal("job.submit", #"{"command":["gzp"]}"#)
        #expect(near?.message == #"Jobs may not run "gzp"."#)
        #expect(near?.hint == "Did you mean gzip?")
        var none = catalog
        none.commands = Programs()
        #expect {
            try JobReader(none).job(Array(#"{"command":["gzip"]}"#.utf8))
        } throws: {
            let refusal = $0 as? Refusal
            return refusal?.code == "denied" && refusal?.hint?.contains("no program") == true
        }
    }
}
