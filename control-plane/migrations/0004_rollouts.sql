CREATE TABLE `rollout_history` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`rollout` integer NOT NULL,
	`at` integer NOT NULL,
	`changes` text NOT NULL,
	FOREIGN KEY (`rollout`) REFERENCES `rollouts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `rollout_history_by_rollout` ON `rollout_history` (`rollout`);--> statement-breakpoint
CREATE TABLE `rollout_members` (
	`rollout` integer NOT NULL,
	`agent` text NOT NULL,
	`kind` text NOT NULL,
	`given` text,
	`joined_at` integer NOT NULL,
	`state` text NOT NULL,
	`since` integer NOT NULL,
	`taken_at` integer,
	`taken_rev` integer NOT NULL,
	`reached` integer NOT NULL,
	`reason` text,
	PRIMARY KEY(`rollout`, `agent`),
	FOREIGN KEY (`rollout`) REFERENCES `rollouts`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `rollout_members_given` ON `rollout_members` (`agent`) WHERE given IS NOT NULL;--> statement-breakpoint
CREATE TABLE `rollouts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`version` integer NOT NULL,
	`digest` text NOT NULL,
	`salt` text NOT NULL,
	`policy` text NOT NULL,
	`state` text NOT NULL,
	`stage` integer NOT NULL,
	`stage_since` integer,
	`approvals` text NOT NULL,
	`ramp` text NOT NULL,
	`paused_at` integer,
	`undecided_from` integer,
	`verdict` text,
	`why` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`ended_at` integer,
	FOREIGN KEY (`model`) REFERENCES `models`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `rollouts_by_end` ON `rollouts` (`ended_at`);--> statement-breakpoint
CREATE TABLE `shadow_pairs` (
	`agent` text NOT NULL,
	`model` text NOT NULL,
	`answering` text NOT NULL,
	`beside` text NOT NULL,
	`signed_at` integer NOT NULL,
	PRIMARY KEY(`agent`, `model`, `answering`, `beside`)
);
--> statement-breakpoint
CREATE TABLE `shadow_parcels` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`agent` text NOT NULL,
	`model` text NOT NULL,
	`answering` text NOT NULL,
	`beside` text NOT NULL,
	`epoch` text NOT NULL,
	`n` integer NOT NULL,
	`from_at` real NOT NULL,
	`to_at` real NOT NULL,
	`rows` integer NOT NULL,
	`counts` text NOT NULL,
	`disagreements` text NOT NULL,
	`omitted` integer NOT NULL,
	`received_at` integer NOT NULL
);
--> statement-breakpoint
CREATE UNIQUE INDEX `shadow_parcels_once` ON `shadow_parcels` (`agent`,`model`,`epoch`,`n`);--> statement-breakpoint
CREATE INDEX `shadow_parcels_by_pair` ON `shadow_parcels` (`model`,`answering`,`beside`);--> statement-breakpoint
CREATE INDEX `shadow_parcels_by_agent` ON `shadow_parcels` (`agent`,`model`);