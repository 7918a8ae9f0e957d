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