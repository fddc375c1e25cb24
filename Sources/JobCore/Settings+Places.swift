// Where the paths of settings begin.

extension Settings {
    /// The same with absolute paths: `~` is `home`, the state directory begins at `directory`, and
    /// all other paths at the state directory. What is absolute already stays as it is.
    public func placed(home: String, in directory: String) -> Settings {
        let state = stateDirectory.inHome(home).below(directory)
        func place(_ path: String) -> String { path.inHome(home).below(state) }
        var placed = self
        placed.stateDirectory = state
        func place(endpoint: String) -> String {
            guard endpoint.hasPrefix("ipc://") else { return endpoint }
            return "ipc://" + place(String(endpoint.dropFirst("ipc://".count)))
        }
        placed.listen = listen.map(place(endpoint:))
        placed.events = events.map(place(endpoint:))
        placed.workerListen = workerListen.map(place(endpoint:))
        placed.spoolDirectory = place(spoolDirectory)
        placed.databases = databases.mapValues { database in
            var database = database
            database.path = place(database.path)
            return database
        }
        placed.commands = Programs(commands.paths.mapValues { place($0) })
        placed.curve?.secretKeyFile = place(curve?.secretKeyFile ?? "")
        return placed
    }
}

extension String {
    /// The path, with `home` in place of a `~` at its beginning.
    package func inHome(_ home: String) -> String {
        self == "~" || hasPrefix("~/") ? home + dropFirst() : self
    }

    /// The path, which begins at `directory` unless it is absolute; an empty one stays empty.
    package func below(_ directory: String) -> String {
        hasPrefix("/") || isEmpty ? self : directory + "/" + self
    }
}
