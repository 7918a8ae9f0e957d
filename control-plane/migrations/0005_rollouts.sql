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
CREATE INDEX `rollouts_by_end` ON `rollouts` (`ended_at`);