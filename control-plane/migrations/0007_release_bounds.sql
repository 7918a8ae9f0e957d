CREATE TABLE `shadow_pruned` (
	`agent` text NOT NULL,
	`model` text NOT NULL,
	`epoch` text NOT NULL,
	`up_to` integer NOT NULL,
	`answering` text NOT NULL,
	`beside` text NOT NULL,
	PRIMARY KEY(`agent`, `model`, `epoch`)
);
--> statement-breakpoint
ALTER TABLE `drift_pruned` ADD `at` integer DEFAULT 0 NOT NULL;