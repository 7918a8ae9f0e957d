/**
 * The control plane's HTTP API: every request and answer body. Operators come with `Authorization: Bearer <token>`;
 * enrolment and device tokens carry their own proof. Errors are `{error: {code, message}}`.
 */
import { z } from "zod";
import { reason } from "./audit.ts";
import { errorCodes } from "./errors.ts";
import { agentId, labels, modelName, sha256Hex, siteId, sources } from "./ids.ts";
import { reported } from "./messages.ts";
import { ed25519PublicKey } from "./signed.ts";

/**
 * What an operator may do: each role also what the ones before it may; but `ingest` is of programs, which hand in what a
 * server elsewhere predicted, and may nothing else; `signer` is of the programs that sign what is proposed.
 */
export const operatorRoles = ["ingest", "viewer", "signer", "operator", "admin"] as const;
export type OperatorRole = (typeof operatorRoles)[number];
/** An operator's name, as the audit tells it. */
export const operatorName = z.string().regex(/^[a-z0-9][a-z0-9._@-]{0,62}$/, "a name is 1-63 of a-z 0-9 . _ @ -");

export const apiError = z.object({ error: z.object({ code: z.enum(errorCodes), message: z.string() }) });

/** GET /v1/trust. Online keys are the control plane's own; the rest is made offline by the CLI. */
export const trustState = z.object({
  site: siteId,
  online: z.object({ snapshot: ed25519PublicKey, timestamp: ed25519PublicKey, director: ed25519PublicKey }),
  /** sha256 of the first root that was put here; null before `keys init`. */
  rootSha256: sha256Hex.nullable(),
  /** Current versions by role file, e.g. {"root": 1, "targets": 2, "project-rain": 3}. */
  versions: z.record(z.string(), z.int()),
  /** Online keys that are made and do not count yet: they wait for the metadata that name them, the gate's for its reports. */
  next: z
    .object({
      snapshot: ed25519PublicKey,
      timestamp: ed25519PublicKey,
      director: ed25519PublicKey,
      gate: ed25519PublicKey,
    })
    .partial()
    .optional(),
});
/**
 * POST /v1/trust/online-keys: makes the next key of a role; that of device tokens counts at once, that of the gate once what
 * matters now was checked anew.
 */
export const rotateOnlineKey = z.object({
  role: z.enum(["snapshot", "timestamp", "director", "device-tokens", "gate"]),
});
/** PUT /v1/trust/metadata: signed TUF metadata texts, put in one transaction or not at all. */
export const putMetadata = z.object({
  metadata: z
    .array(z.object({ role: z.string(), text: z.string() }))
    .min(1)
    .max(8),
});

/** POST /v1/models/{model}/versions. Chunks and other blobs were sent before by PUT /v1/blobs/{sha256}. */
export const publishVersion = z.object({
  /** Canonical manifest text. */
  manifest: z.string(),
  /** The project's role, signed, listing this manifest as a target; and targets, where it newly delegates the role. */
  metadata: z
    .array(z.object({ role: z.string(), text: z.string() }))
    .min(1)
    .max(2),
  /** OpenSSF Model Signing of the bundle's files, and the public key that it verifies by. */
  modelSignature: z.object({ bundle: z.string().max(256 * 1024), publicKey: z.string().max(4096) }).optional(),
});
/** GET /v1/models/{model}/versions/{version}/signature: what `model_signing verify` needs, but for the files. */
export const modelSignature = z.object({
  model: modelName,
  version: z.int(),
  manifest: z.string(),
  bundle: z.string(),
  publicKey: z.string(),
});
export const modelVersion = z.object({
  model: modelName,
  version: z.int().min(1),
  digest: sha256Hex,
  createdAt: z.iso.datetime(),
  publishedBy: z.string(),
  bytes: z.int(),
  task: z.enum(["classification", "regression", "tensor"]),
  lineage: z.record(z.string(), z.json()),
  /** Below the floor of the signed targets: no device serves it. */
  revoked: z.boolean().default(false),
});
export type ModelVersion = z.infer<typeof modelVersion>;
/** GET /v1/models. */
export const modelList = z.object({ models: z.array(z.object({ name: modelName, versions: z.array(modelVersion) })) });
/** POST /v1/blobs/missing: which of these the store lacks, so that what did not change is not sent again. */
export const blobQuery = z.object({ sha256: z.array(sha256Hex).max(10_000) });
export const blobsMissing = z.object({ missing: z.array(sha256Hex) });

export const selector = z.union(
  [
    z.strictObject({ all: z.literal(true) }),
    z.strictObject({ devices: z.array(agentId).min(1).max(10_000) }),
    z.strictObject({ labels: labels.refine((given) => Object.keys(given).length > 0, "name a label, or say all") }),
  ],
  'write one of {"all": true}, {"devices": ["gauge-1"]} and {"labels": {"city": "seattle"}}',
);
/** POST /v1/assignments: which version (null: none) the selected devices should run. */
export const assignRequest = z.object({ model: modelName, version: z.int().min(1).nullable(), selector });
export const assignAnswer = z.object({
  devices: z.array(agentId),
  model: modelName,
  version: z.int().nullable(),
  digest: sha256Hex.nullable(),
});

/** The first 12 digits of the sha256 of a token's secret: what it is called where it must not be shown. */
export const tokenId = z.string().regex(/^[0-9a-f]{12}$/);

/** POST /v1/enrollment-tokens. */
export const createToken = z.object({
  labels: labels.default({}),
  ttlSeconds: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(3600),
  /** Devices that may redeem it. */
  uses: z.int().min(1).max(100_000).default(1),
});
/**
 * What a device needs to join, as one string: base64url of this JSON. It pins the site's root by hash, so trust comes
 * with the token and not from the connection.
 */
export const enrollmentToken = z.object({
  url: z.url(),
  site: siteId,
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  rootSha256: sha256Hex,
});
export type EnrollmentToken = z.infer<typeof enrollmentToken>;
export const createTokenAnswer = z.object({ token: z.string(), expiresAt: z.iso.datetime(), id: tokenId });
/** GET /v1/enrollment-tokens: never the tokens themselves. */
export const tokenList = z.object({
  tokens: z.array(
    z.object({
      id: tokenId,
      labels,
      uses: z.int(),
      used: z.int(),
      createdAt: z.iso.datetime(),
      createdBy: z.string(),
      expiresAt: z.iso.datetime(),
      revokedAt: z.iso.datetime().nullable(),
      state: z.enum(["usable", "used", "expired", "revoked"]),
      /** Devices that joined by it. */
      devices: z.array(agentId),
    }),
  ),
});
/** POST /v1/enrollment-tokens/{id}/revoke. */
export const revokeTokenAnswer = z.object({ id: tokenId, revoked: z.boolean(), devices: z.array(agentId) });

/** GET /v1/operators. */
export const operator = z.object({
  name: operatorName,
  role: z.enum(operatorRoles),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  tokenChangedAt: z.iso.datetime(),
  state: z.enum(["active", "no token", "removed"]),
});
export type Operator = z.infer<typeof operator>;
export const operatorList = z.object({ operators: z.array(operator) });
/** POST /v1/operators. */
export const addOperator = z.object({ name: operatorName, role: z.enum(operatorRoles) });
/** POST /v1/operators and …/{name}/token: the token is shown once. */
export const operatorToken = z.object({ name: operatorName, role: z.enum(operatorRoles), token: z.string() });
/** GET /v1/whoami. */
export const whoami = z.object({ name: z.string(), role: z.enum(operatorRoles) });

/** GET /v1/audit. */
export const auditEntry = z.object({
  id: z.int(),
  /** UTC ms. */
  at: z.int(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  detail: z.record(z.string(), z.json()),
  hash: z.string(),
});
export const auditList = z.object({ entries: z.array(auditEntry) });

/** POST /v1/enroll. */
export const enrollRequest = z.object({
  secret: z.string().regex(/^[0-9a-f]{64}$/),
  agent: agentId,
  publicKey: ed25519PublicKey,
  /** Ed25519 over enrollmentClaim: the device holds the key. Hex. */
  proof: z.string().regex(/^[0-9a-f]{128}$/),
});
export const enrollAnswer = z.object({
  site: siteId,
  agent: agentId,
  /** First root metadata, whose sha256 the token pins. */
  root: z.string(),
  /** A client certificate for the device's key, CN = agent, by the site's authority. PEM. */
  certificate: z.string().optional(),
  /** `mqtt://host:port` for devices and `ws://…` for pages. */
  mqttUrl: z.string(),
  mqttWsUrl: z.string(),
  labels,
});

/** POST /v1/device-token: a device proves its key and gets a one-hour MQTT password. */
export const deviceTokenRequest = z.object({
  agent: agentId,
  /** UTC ms; within 10 minutes of the control plane's clock. */
  at: z.int(),
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  /** Ed25519 over deviceTokenClaim, hex. */
  proof: z.string().regex(/^[0-9a-f]{128}$/),
});
export const deviceTokenAnswer = z.object({
  token: z.string(),
  expiresAt: z.iso.datetime(),
  time: z.int(),
  mqttUrl: z.string(),
  /** Empty where the broker cannot be reached by pages. */
  mqttWsUrl: z.string(),
  /** Whether the broker takes the token as password, or knows devices by their certificates. */
  mqttAuth: z.enum(["token", "certificate"]).default("token"),
  /** Who signs the broker's certificate, where that is no public authority. PEM. */
  mqttCa: z.string().optional(),
});

/** POST /v1/device-certificate, asked as a device token is, with another proof: a client certificate for the device's key, at enrolment and before one expires. */
export const deviceCertificateAnswer = z.object({ certificate: z.string(), expiresAt: z.iso.datetime() });

export const device = z.object({
  agent: agentId,
  labels,
  enrolledAt: z.iso.datetime(),
  online: z.boolean(),
  lastSeen: z.iso.datetime().nullable(),
  assigned: z.array(z.object({ model: modelName, version: z.int(), digest: sha256Hex })),
  reported: reported.nullable(),
  /** What it runs, or is asked, because of rollouts under way; and what was taken back from it within a week. */
  rollouts: z
    .array(
      z.object({
        rollout: z.int(),
        model: modelName,
        version: z.int(),
        as: z.enum(["shadow", "canary", "split", "returned"]),
        /** It is an experiment that has this number. */
        experiment: z.boolean().optional(),
        /** Of the device in the rollout (`memberStates` of rollout.ts); where it returned, of the rollout. */
        state: z.string(),
        why: z.string().nullable(),
      }),
    )
    .optional(),
  /** Null: it may log in. */
  revoked: z.object({ at: z.iso.datetime(), reason: z.string() }).nullable().optional(),
});
/** POST /v1/devices/{agent}/revoke. */
export const revokeDevice = z.object({ reason });
/** POST /v1/devices/{agent}/revoke and /approve. */
export const deviceAnswer = z.object({ agent: agentId, changed: z.boolean() });
export type Device = z.infer<typeof device>;
export const deviceList = z.object({ devices: z.array(device) });

export const maxQueryRows = 100_000;
/** POST /v1/predictions/query. Either filters, or one SELECT over the view `predictions`. */
export const predictionQuery = z.object({
  model: modelName.optional(),
  agent: agentId.optional(),
  source: z.enum(sources).optional(),
  since: z.iso.datetime().optional(),
  /** Rows at most; 100 by filters and 10,000 by SQL where it is not said. */
  limit: z.int().min(1).max(maxQueryRows).optional(),
  sql: z.string().max(20_000).optional(),
});
export const predictionRows = z.object({
  columns: z.array(z.string()),
  rows: z.array(z.array(z.union([z.string(), z.number(), z.boolean(), z.null()]))),
  /** There are more rows than were asked for. */
  truncated: z.boolean(),
});

/** POST /v1/predictions/flush: resolves when all that is acknowledged has reached the lake's files. */
export const flushAnswer = z.object({ batches: z.int() });
