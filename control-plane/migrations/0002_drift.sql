CREATE TABLE `drift_banks` (
	`digest` text NOT NULL,
	`subject` text NOT NULL,
	`bank` blob NOT NULL,
	`steps` integer NOT NULL,
	`rows` integer NOT NULL,
	`log_e` real NOT NULL,
	`features` text NOT NULL,
	`round` integer NOT NULL,
	`verdict` text NOT NULL,
	`top` text,
	PRIMARY KEY(`digest`, `subject`)
);
--> statement-breakpoint
CREATE TABLE `drift_events` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`model` text NOT NULL,
	`digest` text NOT NULL,
	`scope` text NOT NULL,
	`subject` text NOT NULL,
	`verdict` text NOT NULL,
	`opened_at` integer NOT NULL,
	`raised_at` integer NOT NULL,
	`raised` integer NOT NULL,
	`raised_after` integer NOT NULL,
	`closed_at` integer,
	`log_e` real NOT NULL,
	`features` text NOT NULL,
	`agents` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `drift_events_by_version` ON `drift_events` (`digest`,`closed_at`);--> statement-breakpoint
CREATE TABLE `drift_evidence` (
	`event` integer NOT NULL,
	`window` integer NOT NULL,
	PRIMARY KEY(`event`, `window`),
	FOREIGN KEY (`event`) REFERENCES `drift_events`(`id`) ON UPDATE no action ON DELETE no action,
	FOREIGN KEY (`window`) REFERENCES `drift_windows`(`id`) ON UPDATE no action ON DELETE no action
);
--> statement-breakpoint
CREATE TABLE `drift_pruned` (
	`agent` text NOT NULL,
	`digest` text NOT NULL,
	`epoch` text NOT NULL,
	`up_to` integer NOT NULL,
	PRIMARY KEY(`agent`, `digest`, `epoch`)
);
--> statement-breakpoint
CREATE TABLE `drift_rounds` (
	`digest` text NOT NULL,
	`round` integer NOT NULL,
	`at` integer NOT NULL,
	`devices` integer NOT NULL,
	`rows` integer NOT NULL,
	`capped` integer NOT NULL,
	`snapshot` blob NOT NULL,
	`log_e` real NOT NULL,
	`verdict` text NOT NULL,
	`top` text,
	PRIMARY KEY(`digest`, `round`)
);
--> statement-breakpoint
CREATE TABLE `drift_windows` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`agent` text NOT NULL,
	`model` text NOT NULL,
	`digest` text NOT NULL,
	`epoch` text NOT NULL,
	`n` integer NOT NULL,
	`from_at` real NOT NULL,
	`to_at` real NOT NULL,
	`rows` integer NOT NULL,
	`snapshot` blob NOT NULL,
	`verdict` text NOT NULL,
	`top` text,
	`log_e` real,
	`received_at` integer NOT NULL,
	`round` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `drift_windows_once` ON `drift_windows` (`agent`,`model`,`digest`,`epoch`,`n`);--> statement-breakpoint
CREATE INDEX `drift_windows_by_round` ON `drift_windows` (`digest`,`round`);