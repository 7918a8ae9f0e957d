CREATE TABLE `alert_groups` (
	`receiver` text NOT NULL,
	`model` text NOT NULL,
	`sent_at` integer NOT NULL,
	PRIMARY KEY(`receiver`, `model`),
	FOREIGN KEY (`receiver`) REFERENCES `alert_receivers`(`name`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `alert_outbox` (
	`receiver` text NOT NULL,
	`alert` integer NOT NULL,
	`told` text NOT NULL,
	`severity` text NOT NULL,
	PRIMARY KEY(`receiver`, `alert`),
	FOREIGN KEY (`receiver`) REFERENCES `alert_receivers`(`name`) ON UPDATE no action ON DELETE cascade,
	FOREIGN KEY (`alert`) REFERENCES `alerts`(`id`) ON UPDATE no action ON DELETE cascade
);
--> statement-breakpoint
CREATE TABLE `alert_receivers` (
	`name` text PRIMARY KEY NOT NULL,
	`url` text NOT NULL,
	`min_severity` text NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`failures` integer DEFAULT 0 NOT NULL,
	`failing_since` integer,
	`retry_at` integer DEFAULT 0 NOT NULL,
	`last_error` text,
	`last_delivery` integer
);
--> statement-breakpoint
CREATE TABLE `alerts` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`key` text NOT NULL,
	`fingerprint` text NOT NULL,
	`name` text NOT NULL,
	`labels` text NOT NULL,
	`annotations` text NOT NULL,
	`state` text NOT NULL,
	`severity` text NOT NULL,
	`starts_at` integer NOT NULL,
	`changed_at` integer NOT NULL,
	`quiet_since` integer,
	`ends_at` integer,
	`ack` text
);
--> statement-breakpoint
CREATE UNIQUE INDEX `alerts_firing` ON `alerts` (`fingerprint`) WHERE ends_at IS NULL;--> statement-breakpoint
CREATE INDEX `alerts_by_end` ON `alerts` (`ends_at`);--> statement-breakpoint
CREATE TABLE `watch_events` (
	`seq` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`id` text NOT NULL,
	`at` integer NOT NULL,
	`request` text,
	`response` text,
	`done_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `watch_events_by_id` ON `watch_events` (`model`,`id`);--> statement-breakpoint
CREATE INDEX `watch_events_open` ON `watch_events` (`model`,`at`) WHERE done_at IS NULL;--> statement-breakpoint
CREATE INDEX `watch_events_done` ON `watch_events` (`done_at`);--> statement-breakpoint
CREATE TABLE `watch_frames` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`frame` blob NOT NULL,
	`taken_at` integer
);
--> statement-breakpoint
CREATE TABLE `watches` (
	`model` text PRIMARY KEY NOT NULL,
	`digest` text,
	`release` integer,
	`spec` text NOT NULL,
	`reference` blob NOT NULL,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`window` blob,
	`drift` text,
	`predictions` integer DEFAULT 0 NOT NULL,
	`last_at` integer,
	`refused` integer DEFAULT 0 NOT NULL,
	`last_refusal` text
);
