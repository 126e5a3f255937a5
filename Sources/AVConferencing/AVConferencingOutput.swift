//  AVConferencingOutput.swift: what the shell is asked to do, in order.

import Media
import SIP

public enum AVConferencingOutput: Sendable {
  case transmit([UInt8], SIPFlow)
  /// Into the queue of that worker; a full queue is the shell's to report by `legRefused`.
  case media(worker: Int, MediaCommand)
  case log(AVConferencingLogEvent)
}
