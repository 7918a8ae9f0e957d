CREATE TABLE `broker_blobs` (
	`sha256` text PRIMARY KEY NOT NULL,
	`refs` integer NOT NULL,
	`unused_since` integer
);
--> statement-breakpoint
CREATE TABLE `operators` (
	`name` text PRIMARY KEY NOT NULL,
	`role` text NOT NULL,
	`token_sha256` text,
	`created_at` integer NOT NULL,
	`created_by` text NOT NULL,
	`token_changed_at` integer NOT NULL,
	`removed_at` integer
);
--> statement-breakpoint
CREATE UNIQUE INDEX `operators_tokenSha256_unique` ON `operators` (`token_sha256`);--> statement-breakpoint
ALTER TABLE `audit` ADD `hash` text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE `devices` ADD `heard` text;--> statement-breakpoint
ALTER TABLE `devices` ADD `revoked_at` integer;--> statement-breakpoint
ALTER TABLE `devices` ADD `revoked_reason` text;--> statement-breakpoint
ALTER TABLE `tokens` ADD `created_by` text DEFAULT 'operator' NOT NULL;--> statement-breakpoint
ALTER TABLE `tokens` ADD `revoked_at` integer;--> statement-breakpoint
ALTER TABLE `versions` ADD `model_signature` text;