CREATE TABLE `assignment_rules` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`version` integer,
	`selector` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`superseded_by` integer,
	FOREIGN KEY (`model`) REFERENCES `models`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE INDEX `assignment_rules_in_force` ON `assignment_rules` (`superseded_by`,`model`);--> statement-breakpoint
CREATE TABLE `audit` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`at` integer NOT NULL,
	`actor` text NOT NULL,
	`action` text NOT NULL,
	`subject` text NOT NULL,
	`detail` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `audit_by_time` ON `audit` (`at`);--> statement-breakpoint
CREATE TABLE `devices` (
	`agent` text PRIMARY KEY NOT NULL,
	`public_key` text NOT NULL,
	`token` text NOT NULL,
	`token_labels` text NOT NULL,
	`said_labels` text NOT NULL,
	`enrolled_at` integer NOT NULL,
	`last_seen` integer,
	`abilities` text,
	`report` text,
	`rev` integer NOT NULL,
	`slots` text NOT NULL,
	FOREIGN KEY (`token`) REFERENCES `tokens`(`secret_sha256`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `metadata` (
	`role` text NOT NULL,
	`version` integer NOT NULL,
	`text` text NOT NULL,
	`created_at` integer NOT NULL,
	PRIMARY KEY(`role`, `version`)
);
--> statement-breakpoint
CREATE TABLE `models` (
	`name` text PRIMARY KEY NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `settings` (
	`key` text PRIMARY KEY NOT NULL,
	`value` text NOT NULL
);
--> statement-breakpoint
CREATE TABLE `tokens` (
	`secret_sha256` text PRIMARY KEY NOT NULL,
	`labels` text NOT NULL,
	`uses` integer NOT NULL,
	`used` integer NOT NULL,
	`expires_at` integer NOT NULL,
	`created_at` integer NOT NULL
);
--> statement-breakpoint
CREATE TABLE `versions` (
	`model` text NOT NULL,
	`version` integer NOT NULL,
	`digest` text NOT NULL,
	`manifest` text NOT NULL,
	`length` integer NOT NULL,
	`bytes` integer NOT NULL,
	`task` text NOT NULL,
	`created_at` integer NOT NULL,
	`published_by` text NOT NULL,
	PRIMARY KEY(`model`, `version`),
	FOREIGN KEY (`model`) REFERENCES `models`(`name`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE UNIQUE INDEX `versions_digest_unique` ON `versions` (`digest`);