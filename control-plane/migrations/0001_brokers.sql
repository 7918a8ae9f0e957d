CREATE TABLE `broker_blobs` (
	`sha256` text PRIMARY KEY NOT NULL,
	`refs` integer NOT NULL,
	`unused_since` integer
);
--> statement-breakpoint
ALTER TABLE `devices` ADD `heard` text;