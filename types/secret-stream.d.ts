/** What Roost uses of @hyperswarm/secret-stream, which has no declarations of its own. */
declare module '@hyperswarm/secret-stream' {
  export interface KeyPair {
    /** 32 bytes. */
    readonly publicKey: Buffer
    /** 64 bytes: the seed, and the public key behind it. */
    readonly secretKey: Buffer
  }

  /** A stream of whole frames in clear over a raw one of encrypted bytes. */
  export default class NoiseSecretStream {
    constructor(
      isInitiator: boolean,
      rawStream: unknown,
      options: { keyPair: KeyPair; enableSend?: boolean }
    )
    static keyPair(seed?: Buffer): KeyPair
    /** 64 bytes that both sides of one connection share, and no other connection has. */
    readonly handshakeHash: Buffer | null
    readonly remotePublicKey: Buffer | null
    readonly destroyed: boolean
    readonly destroying: boolean
    readonly rawBytesRead: number
    readonly rawBytesWritten: number
    on(event: 'data', listener: (frame: Buffer) => void): this
    on(event: 'error', listener: (error: Error) => void): this
    on(event: 'handshake' | 'connect' | 'close' | 'end' | 'drain', listener: () => void): this
    write(frame: Buffer): boolean
    end(): void
    destroy(error?: Error): void
    pause(): this
    resume(): this
    /** Room for one frame, which is then encrypted in place. */
    alloc(size: number): Buffer
  }
}
