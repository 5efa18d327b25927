/** A server of one's own, in memory, with a free port. */
export interface Skystash {
  /** Where Redis over REST and QStash are. */
  url: string;
  /** Opens the database for reading and writing. */
  token: string;
  /** Opens the database for reading. */
  readOnlyToken: string;
  /** For clients of Redis's own protocol, with the password. */
  redisUrl: string;
  kafka: { url: string; username: string; password: string; brokers: string };
  qstash: { url: string; token: string; currentSigningKey: string; nextSigningKey: string };
  /** All variables that clients read from the environment. */
  env: Record<string, string>;
  pid: number;
  /** Ends the server, and resolves when it has ended. */
  stop(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface Options {
  /** More flags, as `skystash dev --help` lists them, such as ["--topics", "red:3"]. */
  flags?: string[];
  /** How long the server may take until it is ready, in milliseconds; 30000 if not given. */
  timeout?: number;
}

/** Starts a server and resolves when it takes requests. */
export function startSkystash(options?: Options): Promise<Skystash>;

/** The path of the program for this machine. SKYSTASH_BINARY in the environment names another. */
export function binary(): string;
