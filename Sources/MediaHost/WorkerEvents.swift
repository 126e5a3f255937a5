//  WorkerEvents.swift: the workers' eventfd as something that the control thread's event loop waits for.

import Glibc
import LinuxIO
import Logging
import NIOCore
import NIOPosix

/// Watches the descriptor through NIO, which reads the count away; the owner then looks at the queues.
///
/// If the system does not allow the second descriptor, the half-second check of the runtime still takes the events.
final class WorkerEvents {
  private var channel: EventLoopFuture<any Channel>?

  init(_ threads: WorkerGroup, on loop: any EventLoop, _ log: Logger, _ onEvents: @escaping @Sendable () -> Void) {
    let descriptor = dup(threads.eventsReady.descriptor)
    guard descriptor >= 0 else {
      log.error(
        "the workers' events cannot be watched: they are looked at twice a second", metadata: ["errno": "\(errno)"])
      return
    }
    let future = NIOPipeBootstrap(group: loop)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(Reader(onEvents))
        }
      }
      .takingOwnershipOfDescriptor(input: descriptor)
    future.whenFailure { error in
      close(descriptor)
      log.error(
        "the workers' events cannot be watched: they are looked at twice a second", metadata: ["error": "\(error)"])
    }
    channel = future
  }

  func stop() {
    channel?.whenSuccess { $0.close(promise: nil) }
    channel = nil
  }

  private final class Reader: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let onEvents: @Sendable () -> Void

    init(_ onEvents: @escaping @Sendable () -> Void) { self.onEvents = onEvents }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) { onEvents() }
  }
}
