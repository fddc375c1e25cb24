import JobCore
import JobWire
import Testing

@testable import JobRunner

@Suite("What kernels refuse") struct KernelsInputTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let kernel: String
        let input: String
        let complaint: String

        init(_ kernel: String, _ input: String, _ complaint: String) {
            self.kernel = kernel
            self.input = input
            self.complaint = complaint
        }

        var testDescription: String { "\(kernel) \(input)" }
    }

    @Test(arguments: [
        Case("count", "[]", "The input must be an object, not an array. It takes: to."),
        Case("count", "{}", "Input field \"to\": It is missing."),
        Case(
            "count",
            #"{"to": 1, "too": 2}"#,
            "Input field \"too\": There is no such field. It takes: to."
        ),
        Case(
            "count",
            #"{"to": -1}"#,
            "Input field \"to\": It must be an integer from 0 to 9007199254740992, not -1."
        ),
        Case(
            "count",
            #"{"to": 9007199254740993}"#,
            "Input field \"to\": It must be an integer from 0 to 9007199254740992, not "
                + "9007199254740993."
        ),
        Case(
            "count",
            #"{"to": 1.0}"#,
            "Input field \"to\": It must be an integer from 0 to 9007199254740992, not "
                + "a real number."
        ),
        Case(
            "primes",
            #"{"below": 1000000000001}"#,
            "Input field \"below\": It must be an integer from 0 to 1000000000000, not "
                + "1000000000001."
        ),
        Case(
            "primes",
            #"{"from": 11, "below": 10}"#,
            "Input field \"from\": It must be an integer from 0 to 10, not 11."
        ),
        Case(
            "sleep",
            #"{"ms": 604800001}"#,
            "Input field \"ms\": It must be an integer from 0 to 604800000, not 604800001."
        ),
        Case(
            "sudoku",
            #"{"puzzles": "…"}"#,
            "Input field \"puzzles\": It must be an array, not a string."
        ),
        Case(
            "sudoku",
            #"{"puzzles": ["", 7]}"#,
            "Input field \"puzzles[1]\": It must be a string, not an integer."
        ),
        Case(
            "digest",
            "{}",
            "The input must have exactly one of the fields \"text\" and \"bytes\"."
        ),
        Case(
            "digest",
            #"{"text": "", "bytes": {"$frame": 2}}"#,
            "The input must have exactly one of the fields \"text\" and \"bytes\"."
        ),
        Case(
            "digest",
            #"{"text": 7}"#,
            "Input field \"text\": It must be a string, not an integer."
        ),
        Case(
            "digest",
            #"{"bytes": "abc"}"#,
            "Input field \"bytes\": It must refer to a binary frame, as in {\"$frame\": 2}."
        ),
        Case(
            "digest",
            #"{"bytes": {"$frame": 2}}"#,
            "Input field \"bytes\": It refers to a binary frame that did not come with the job. "
                + "Frames that came: none."
        ),
        Case(
            "echo",
            #"{"$frame": 3}"#,
            "It refers to a binary frame that did not come with the job. Frames that came: none."
        ),
        Case(
            "sum",
            #"{"numbers": {}}"#,
            "Input field \"numbers\": It must be an array, not an object."
        ),
        Case(
            "sum",
            #"{"numbers": [1, "2"]}"#,
            "Input field \"numbers[1]\": It must be a number, not a string."
        ),
        Case(
            "sum",
            #"{"numbers": [1], "partial": 1}"#,
            "Input field \"partial\": It must be true or false, not an integer."
        ),
        Case(
            "sum",
            #"{"numbers": [0, 9223372036854775808]}"#,
            "Input field \"numbers[1]\": It is beyond 64 bits. "
                + "Integers go from -2^63 to 2^63 - 1, reals up to about 1.8e308."
        ),
        Case(
            "sum",
            #"{"numbers": [1e999]}"#,
            "Input field \"numbers[0]\": It is beyond 64 bits. "
                + "Integers go from -2^63 to 2^63 - 1, reals up to about 1.8e308."
        ),
        Case(
            "sum",
            #"{"numbers": [9223372036854775807, 1]}"#,
            "Input field \"numbers\": The sum 9223372036854775808 is beyond 64 bits. "
                + "Write one of the numbers as a real, such as 1.0, to have a rounded sum."
        ),
        Case(
            "sum",
            #"{"numbers": [1.7e308, 1.7e308]}"#,
            "Input field \"numbers\": The sum is beyond the largest real number, about 1.8e308."
        ),
    ])
    func `a wrong input is refused in words that name the place`(_ expected: Case) throws {
        let kernel = try #require(KernelRegistry.standard[expected.kernel])
        #expect(complaint(of: kernel, expected.input) == expected.complaint)
    }

    @Test(arguments: KernelRegistry.standard.names)
    func `what is no JSON is refused by every kernel, and for good`(name: String) throws {
        let kernel = try #require(KernelRegistry.standard[name])
        for text in ["", "{", #"{"numbers":[1,]}"#, #"{"numbers":[01]}"#, "{} {}", "\u{FEFF}{}"] {
            let input = KernelInput(raw: Array(text.utf8))
            let error = #expect(throws: KernelError.self) {
                try kernel.compute(input, KernelRun())
            }
            #expect(error?.failure?.isPermanent == true, "\(text)")
            #expect(error?.failure?.code == .kernelError, "\(text)")
        }
    }

    @Test func `only a failure that is not the input's is tried again`() {
        #expect(KernelError.failed("The disk is full.").failure?.isPermanent == false)
        #expect(KernelError.brokenOff.failure == nil)
    }
}

@Suite("Registering kernels") struct KernelRegistryTests {
    struct Named: Kernel {
        let name: String

        func compute(_ input: KernelInput, _ run: KernelRun) throws(KernelError) -> KernelOutput {
            .bytes(Array(name.utf8))
        }
    }

    @Test func `the standard kernels are known by name`() {
        let names = ["count", "digest", "echo", "primes", "sleep", "sudoku", "sum"]
        #expect(KernelRegistry.standard.names == names)
        for name in names { #expect(KernelRegistry.standard[name]?.name == name) }
        #expect(KernelRegistry.standard["Sum"] == nil)
        #expect(KernelRegistry().names.isEmpty)
    }

    @Test(arguments: ["thumbnail", "a", "0", "-_-", String(repeating: "x", count: 64)])
    func `a kernel of one's own is found under its name`(name: String) throws {
        var registry = KernelRegistry.standard
        try registry.register(Named(name: name))
        let kernel = try #require(registry[name])
        #expect(try kernel.compute(KernelInput(.null), KernelRun()).bytes == Array(name.utf8))
        #expect(KernelRegistry.standard[name] == nil)
    }

    @Test(arguments: ["", "Sum", "a b", "a.b", "é", "a\n", String(repeating: "x", count: 65)])
    func `a bad name is refused`(name: String) {
        var registry = KernelRegistry.standard
        #expect(throws: KernelRegistry.RegistrationError.badName(name)) {
            try registry.register(Named(name: name))
        }
        #expect(registry.names == KernelRegistry.standard.names)
    }

    @Test func `a name is given once`() {
        var registry = KernelRegistry.standard
        let error = #expect(throws: KernelRegistry.RegistrationError.self) {
            try registry.register(Named(name: "sum"))
        }
        #expect(error?.summary == "There is a kernel named \"sum\" already.")
        #expect(error?.hint == "Give the kernel another name.")
        #expect(registry["sum"] is SumKernel)
    }

    @Test func `a kernel that cannot be divided runs as it is`() throws {
        let kernel = Named(name: "whole")
        #expect(try kernel.split(KernelInput(.null), into: 4) == nil)
        #expect(throws: KernelError.self) { try kernel.reduce([], of: KernelInput(.null)) }
    }
}
