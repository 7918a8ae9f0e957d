CREATE TABLE `gate_overrides` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`digest` text NOT NULL,
	`at` integer NOT NULL,
	`signed` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `gate_overrides_by_digest` ON `gate_overrides` (`digest`);--> statement-breakpoint
CREATE TABLE `gate_reports` (
	`id` integer PRIMARY KEY AUTOINCREMENT NOT NULL,
	`digest` text NOT NULL,
	`at` integer NOT NULL,
	`signed` text NOT NULL
);
--> statement-breakpoint
CREATE INDEX `gate_reports_by_digest` ON `gate_reports` (`digest`);--> statement-breakpoint
CREATE TABLE `gate_rows` (
	`sha256` text PRIMARY KEY NOT NULL,
	`text` text NOT NULL
);
