//  StorePath.swift: what the configuration's `store` means as a path.

import Foundation

extension FrontEndConfiguration {
  /// - Returns: the file's path; `nil` for `memory`. `state` is `parley/parley.sqlite` in the user's state folder, which
  ///   is made (XDG base directories: `$XDG_STATE_HOME`, else `~/.local/state`).
  public func storePath() throws -> String? {
    switch store {
    case "memory": return nil
    case "state":
      let environment = ProcessInfo.processInfo.environment
      let state =
        environment["XDG_STATE_HOME"].map { URL(fileURLWithPath: $0) }
        ?? FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".local/state")
      let folder = state.appendingPathComponent("parley")
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
      return folder.appendingPathComponent("parley.sqlite").path
    default: return store
    }
  }
}
