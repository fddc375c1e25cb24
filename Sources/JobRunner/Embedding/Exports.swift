// What a program sees that says `import JobRunner` and nothing more: settings, jobs and results,
// JSON, and the client. See the note "One import for embedders" among the decisions.
@_exported public import JobClient
@_exported public import JobCore
@_exported public import JobWire
