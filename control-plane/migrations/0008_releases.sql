CREATE TABLE `hands_free` (
	`model` text PRIMARY KEY NOT NULL,
	`policy` text,
	`frozen` integer NOT NULL,
	`reason` text,
	`at` integer NOT NULL,
	`by` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `releases` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`digest` text NOT NULL,
	`manifest` text NOT NULL,
	`model_signature` text,
	`proposal` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`draft` text,
	`refusal` text,
	`outcome` text,
	`version` integer,
	`why` text,
	`decided_at` integer,
	`decided_by` text,
	`rollout` integer,
	`rollout_why` text,
	`rollout_settled` integer DEFAULT false NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `releases_open` ON `releases` (`model`) WHERE outcome IS NULL;--> statement-breakpoint
CREATE INDEX `releases_by_digest` ON `releases` (`digest`);