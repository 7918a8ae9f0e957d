import { z } from "zod";

/** Section 4.2. Keys of other types may stand there; they verify nothing here. */
declare const key: z.ZodObject<
  {
    keytype: z.ZodString;
    scheme: z.ZodString;
    keyval: z.ZodObject<
      {
        public: z.ZodString;
      },
      z.core.$strip
    >;
  },
  z.core.$strip
>;
declare const role: z.ZodObject<
  {
    keyids: z.ZodArray<z.ZodString>;
    threshold: z.ZodInt;
  },
  z.core.$strip
>;
declare const metaFile: z.ZodObject<
  {
    version: z.ZodInt;
    length: z.ZodOptional<z.ZodInt>;
    hashes: z.ZodOptional<
      z.ZodObject<
        {
          sha256: z.ZodString;
        },
        z.core.$strict
      >
    >;
  },
  z.core.$strip
>;
declare const delegatedRole: z.ZodObject<
  {
    keyids: z.ZodArray<z.ZodString>;
    threshold: z.ZodInt;
    name: z.ZodString;
    terminating: z.ZodBoolean;
    paths: z.ZodOptional<z.ZodArray<z.ZodString>>;
    path_hash_prefixes: z.ZodOptional<z.ZodArray<z.ZodString>>;
  },
  z.core.$strip
>;
declare const targets: z.ZodObject<
  {
    spec_version: z.ZodString;
    version: z.ZodInt;
    expires: z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>, z.ZodNumber>;
    _type: z.ZodLiteral<"targets">;
    targets: z.ZodPipe<
      z.ZodRecord<
        z.ZodString,
        z.ZodObject<
          {
            length: z.ZodInt;
            hashes: z.ZodObject<
              {
                sha256: z.ZodString;
              },
              z.core.$strict
            >;
            custom: z.ZodOptional<z.ZodUnknown>;
          },
          z.core.$strip
        >
      >,
      z.ZodTransform<
        Map<
          string,
          {
            length: number;
            hashes: {
              sha256: string;
            };
            custom?: unknown;
          }
        >,
        Record<
          string,
          {
            length: number;
            hashes: {
              sha256: string;
            };
            custom?: unknown;
          }
        >
      >
    >;
    delegations: z.ZodOptional<
      z.ZodObject<
        {
          keys: z.ZodPipe<
            z.ZodRecord<
              z.ZodString,
              z.ZodObject<
                {
                  keytype: z.ZodString;
                  scheme: z.ZodString;
                  keyval: z.ZodObject<
                    {
                      public: z.ZodString;
                    },
                    z.core.$strip
                  >;
                },
                z.core.$strip
              >
            >,
            z.ZodTransform<
              Map<
                string,
                {
                  keytype: string;
                  scheme: string;
                  keyval: {
                    public: string;
                  };
                }
              >,
              Record<
                string,
                {
                  keytype: string;
                  scheme: string;
                  keyval: {
                    public: string;
                  };
                }
              >
            >
          >;
          roles: z.ZodArray<
            z.ZodObject<
              {
                keyids: z.ZodArray<z.ZodString>;
                threshold: z.ZodInt;
                name: z.ZodString;
                terminating: z.ZodBoolean;
                paths: z.ZodOptional<z.ZodArray<z.ZodString>>;
                path_hash_prefixes: z.ZodOptional<z.ZodArray<z.ZodString>>;
              },
              z.core.$strip
            >
          >;
        },
        z.core.$strip
      >
    >;
    "x-vedette": z.ZodOptional<z.ZodUnknown>;
  },
  z.core.$strip
>;
declare const schemas: {
  root: z.ZodObject<
    {
      spec_version: z.ZodString;
      version: z.ZodInt;
      expires: z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>, z.ZodNumber>;
      _type: z.ZodLiteral<"root">;
      consistent_snapshot: z.ZodBoolean;
      keys: z.ZodPipe<
        z.ZodRecord<
          z.ZodString,
          z.ZodObject<
            {
              keytype: z.ZodString;
              scheme: z.ZodString;
              keyval: z.ZodObject<
                {
                  public: z.ZodString;
                },
                z.core.$strip
              >;
            },
            z.core.$strip
          >
        >,
        z.ZodTransform<
          Map<
            string,
            {
              keytype: string;
              scheme: string;
              keyval: {
                public: string;
              };
            }
          >,
          Record<
            string,
            {
              keytype: string;
              scheme: string;
              keyval: {
                public: string;
              };
            }
          >
        >
      >;
      roles: z.ZodObject<
        {
          root: z.ZodObject<
            {
              keyids: z.ZodArray<z.ZodString>;
              threshold: z.ZodInt;
            },
            z.core.$strip
          >;
          timestamp: z.ZodObject<
            {
              keyids: z.ZodArray<z.ZodString>;
              threshold: z.ZodInt;
            },
            z.core.$strip
          >;
          snapshot: z.ZodObject<
            {
              keyids: z.ZodArray<z.ZodString>;
              threshold: z.ZodInt;
            },
            z.core.$strip
          >;
          targets: z.ZodObject<
            {
              keyids: z.ZodArray<z.ZodString>;
              threshold: z.ZodInt;
            },
            z.core.$strip
          >;
        },
        z.core.$strip
      >;
    },
    z.core.$strip
  >;
  timestamp: z.ZodObject<
    {
      spec_version: z.ZodString;
      version: z.ZodInt;
      expires: z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>, z.ZodNumber>;
      _type: z.ZodLiteral<"timestamp">;
      meta: z.ZodObject<
        {
          "snapshot.json": z.ZodObject<
            {
              version: z.ZodInt;
              length: z.ZodOptional<z.ZodInt>;
              hashes: z.ZodOptional<
                z.ZodObject<
                  {
                    sha256: z.ZodString;
                  },
                  z.core.$strict
                >
              >;
            },
            z.core.$strip
          >;
        },
        z.core.$strip
      >;
    },
    z.core.$strip
  >;
  snapshot: z.ZodObject<
    {
      spec_version: z.ZodString;
      version: z.ZodInt;
      expires: z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>, z.ZodNumber>;
      _type: z.ZodLiteral<"snapshot">;
      meta: z.ZodPipe<
        z.ZodRecord<
          z.ZodString,
          z.ZodObject<
            {
              version: z.ZodInt;
              length: z.ZodOptional<z.ZodInt>;
              hashes: z.ZodOptional<
                z.ZodObject<
                  {
                    sha256: z.ZodString;
                  },
                  z.core.$strict
                >
              >;
            },
            z.core.$strip
          >
        >,
        z.ZodTransform<
          Map<
            string,
            {
              version: number;
              length?: number | undefined;
              hashes?:
                | {
                    sha256: string;
                  }
                | undefined;
            }
          >,
          Record<
            string,
            {
              version: number;
              length?: number | undefined;
              hashes?:
                | {
                    sha256: string;
                  }
                | undefined;
            }
          >
        >
      >;
    },
    z.core.$strip
  >;
  targets: z.ZodObject<
    {
      spec_version: z.ZodString;
      version: z.ZodInt;
      expires: z.ZodPipe<z.ZodPipe<z.ZodString, z.ZodTransform<number, string>>, z.ZodNumber>;
      _type: z.ZodLiteral<"targets">;
      targets: z.ZodPipe<
        z.ZodRecord<
          z.ZodString,
          z.ZodObject<
            {
              length: z.ZodInt;
              hashes: z.ZodObject<
                {
                  sha256: z.ZodString;
                },
                z.core.$strict
              >;
              custom: z.ZodOptional<z.ZodUnknown>;
            },
            z.core.$strip
          >
        >,
        z.ZodTransform<
          Map<
            string,
            {
              length: number;
              hashes: {
                sha256: string;
              };
              custom?: unknown;
            }
          >,
          Record<
            string,
            {
              length: number;
              hashes: {
                sha256: string;
              };
              custom?: unknown;
            }
          >
        >
      >;
      delegations: z.ZodOptional<
        z.ZodObject<
          {
            keys: z.ZodPipe<
              z.ZodRecord<
                z.ZodString,
                z.ZodObject<
                  {
                    keytype: z.ZodString;
                    scheme: z.ZodString;
                    keyval: z.ZodObject<
                      {
                        public: z.ZodString;
                      },
                      z.core.$strip
                    >;
                  },
                  z.core.$strip
                >
              >,
              z.ZodTransform<
                Map<
                  string,
                  {
                    keytype: string;
                    scheme: string;
                    keyval: {
                      public: string;
                    };
                  }
                >,
                Record<
                  string,
                  {
                    keytype: string;
                    scheme: string;
                    keyval: {
                      public: string;
                    };
                  }
                >
              >
            >;
            roles: z.ZodArray<
              z.ZodObject<
                {
                  keyids: z.ZodArray<z.ZodString>;
                  threshold: z.ZodInt;
                  name: z.ZodString;
                  terminating: z.ZodBoolean;
                  paths: z.ZodOptional<z.ZodArray<z.ZodString>>;
                  path_hash_prefixes: z.ZodOptional<z.ZodArray<z.ZodString>>;
                },
                z.core.$strip
              >
            >;
          },
          z.core.$strip
        >
      >;
      "x-vedette": z.ZodOptional<z.ZodUnknown>;
    },
    z.core.$strip
  >;
};
export type Kind = keyof typeof schemas;
export type Key = z.output<typeof key>;
export type Role = z.output<typeof role>;
export type DelegatedRole = z.output<typeof delegatedRole>;
export type MetaFile = z.output<typeof metaFile>;
export type Targets = z.output<typeof targets>;
export interface Metadata<K extends Kind> {
  /** File name, for messages. */
  readonly file: string;
  readonly text: string;
  readonly signed: z.output<(typeof schemas)[K]>;
  /** What the signatures cover: canonical JSON (OLPC) of `signed` as it stood in the text. */
  readonly canonical: Uint8Array<ArrayBuffer>;
  /** Hex by keyid. */
  readonly signatures: ReadonlyMap<string, string>;
}
/** @throws VedetteError invalid_metadata: which file, and what in it does not fit the standard. */
export declare function parseMetadata<K extends Kind>(kind: K, file: string, text: string): Metadata<K>;
