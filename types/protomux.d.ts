/** What Roost uses of protomux, which has no declarations of its own. */
declare module 'protomux' {
  export interface MuxMessage<Sent> {
    /** Returns false when the stream below wants no more for now. */
    send(message: Sent): boolean
  }

  export interface MuxChannel<Sent> {
    readonly messages: readonly MuxMessage<Sent>[]
    open(): void
  }

  export interface MuxEncodingState {
    buffer: Buffer
    start: number
    end: number
  }

  export interface MuxEncoding<Sent, Received> {
    preencode(state: MuxEncodingState, message: Sent): void
    encode(state: MuxEncodingState, message: Sent): void
    decode(state: MuxEncodingState): Received
  }

  export interface MuxChannelOptions<Sent, Received> {
    readonly protocol: string
    readonly messages: readonly {
      /** Bytes as they are, unless it is given. */
      readonly encoding?: MuxEncoding<Sent, Received>
      readonly onmessage: (message: Received) => void
    }[]
    readonly onclose?: () => void
  }

  /** Several channels over one stream of frames; it takes the stream's `userData`. */
  export default class Protomux {
    constructor(stream: unknown)
    /** Returns null when the stream is gone. */
    createChannel<Sent, Received>(
      options: MuxChannelOptions<Sent, Received>
    ): MuxChannel<Sent> | null
  }
}
