package components

// Rows are the components in the data's order, then what stands around them.
func Rows() []Component {
	return []Component{
		{
			Name: "ingest.IngestApi",
			Limits: []Limit{
				{"maxBatch", "%s events a batch"},
				{"DefaultWafMaxBodySize", "%s bytes a request, with WAF"},
				{"DefaultRateLimit", "%s requests/s unless set"},
				{"DefaultWafRateLimit", "%s requests in five minutes from one address, with WAF"},
			},
			Fails: "Above its limits and while Kinesis refuses, clients get 429 or 503 with `Retry-After`, and have their events still: what was not answered with 202 must be sent again. " +
				"Of a batch some events may be stored: the answer, 207, says which. A deployment that fails leaves the old one.",
			InProd: []string{"Ingest"},
			Tests: [][2]string{
				{"test/e2e/errors_test.go", "TestEveryErrorOfDocsIngestIsAnsweredSoAndLeavesNothingInTheStream"},
				{"test/e2e/errors_test.go", "TestOfABatchThatFailsInPartEachEventHasItsResult"},
				{"constructs/ingest/weaknesses_test.go", "TestW1AnErrorOfKinesisIsNeverASuccess"},
			},
		},
		{
			Name: "stream.StreamingCore",
			Limits: []Limit{
				{"shardBytes", "%s bytes/s into a shard"},
				{"shardRecords", "%s records/s into a shard"},
				{"shardReads", "%s reads/s of a shard by all who share it"},
				{"DefaultRetentionHours", "kept %s h unless set"},
				{"maxRetentionHours", "%s h at most"},
			},
			Fails: "A hot shard refuses writes while others are idle; on demand, traffic that more than doubles within 15 minutes may be refused. A reader that stops loses nothing until the retention ends, and then the oldest first. " +
				"Readers that share a shard slow each other. A key that is disabled stops writers and readers.",
			InProd: []string{"Core"},
			Tests: [][2]string{
				{"constructs/stream/capacity_test.go", "TestTheLimitsThatAStreamMeetsAreSaidAtSynth"},
				{"constructs/stream/readers_test.go", "TestThreeReadersOfAStreamAreAWarningWithNumbersWhereverTheyAre"},
				{"constructs/stream/alarms_test.go", "TestTheAgeOfAReaderIsHeldAgainstTheRetention"},
			},
		},
		{
			Name: "delivery.FirehoseToS3",
			Limits: []Limit{
				{"DefaultBufferInterval", "an object each %s s unless set"}, {"DefaultBufferSize", "or each %s MiB"}, {"maxProcessorBufferSize", "the transformer gets %s MiB at most"}, {"maxRetries", "and %s tries"},
			},
			Fails: "Delivers again after an error: duplicates, never a hole, while the stream keeps the records. What the transformer, the conversion or the partitioning refuses lies under `errors/`, and `millrace replay` sends it again. " +
				"A delivery that is replaced begins at LATEST: the gap is replayed from the stream.",
			InProd: []string{"Lake", "ParquetLake"},
			Tests: [][2]string{
				{"local/firehose/deployed_test.go", "TestProcessorThatCrashesAndS3ThatRefusesLoseNothing"},
				{"test/e2e/replay_test.go", "TestPoisonStaysBelowTheErrorPrefixAndReplayBringsBackWhatOurCrashStopped"},
				{"test/e2e/replay_test.go", "TestANewDeliveryStartsAtLatestAndReplayClosesTheGap"},
			},
		},
		{
			Name:   "delivery.FirehoseToOpenSearch",
			Limits: []Limit{{"DefaultDocumentBufferSize", "a bulk of %s MiB unless set"}},
			Fails:  "Documents that the index refuses, and all of them while it is away for longer than the retries, lie in the backup bucket. An event that its client or a replay sends again is another document: Firehose's ids are those of records.",
			Tests: [][2]string{
				{"constructs/delivery/opensearch_test.go", "TestEventsBecomeDocumentsOfADomain"},
				{"constructs/delivery/destinations_test.go", "TestEachDestinationHasItsOwnLimits"},
			},
		},
		{
			Name:   "delivery.FirehoseToRedshift",
			Limits: []Limit{{"DefaultCopyRetryDuration", "COPY is tried for %s s unless set"}},
			Fails:  "An object whose COPY fails to the end stays in the bucket, named in a manifest of errors, and is copied by hand. Rows may come twice: Redshift enforces no key.",
			Tests: [][2]string{
				{"constructs/delivery/redshift_test.go", "TestEventsAreCopiedToAPublicWarehouse"},
				{"constructs/delivery/redshift_test.go", "TestOnlyFirehosesAddressesAreLetInToTheWarehouse"},
			},
		},
		{
			Name:  "delivery.StreamToRedshift",
			Fails: "A record that is not JSON is left out of the view. A view that is not refreshed before the stream's retention ends has a hole.",
			Tests: [][2]string{{"constructs/delivery/redshift_test.go", "TestAPrivateWarehouseReadsTheStreamByItself"}},
		},
		{
			Name:  "delivery.FirehoseToIceberg",
			Fails: "A record that does not fit the table lies under the error prefix of the bucket. Without unique keys, a record that comes twice is two rows.",
			Tests: [][2]string{
				{"constructs/delivery/iceberg_test.go", "TestEventsBecomeRowsOfAnIcebergTable"},
				{"constructs/delivery/iceberg_test.go", "TestUniqueKeysUpdateRowsOfATableThatIsThere"},
			},
		},
		{
			Name:   "delivery.LakeBucket",
			Limits: []Limit{{"DefaultNoncurrentDays", "what was deleted or overwritten comes back for %s days"}, {"AccessLogDays", "access logs are kept %s days"}},
			Fails:  "An operator's delete hides objects, and versions bring them back until they expire. Without its key nothing can be read; a key waits before it is deleted, and that can be taken back.",
			Tests: [][2]string{
				{"constructs/delivery/lake_test.go", "TestLakeAndKeyAreRetainedUnlessSaidOtherwise"},
				{"constructs/delivery/lake_test.go", "TestTheLakeIsReachedByTLSAlone"},
			},
		},
		{
			Name: "load.PostgresLoader",
			Limits: []Limit{
				{"DefaultBatchSize", "%s records a batch unless set"}, {"DefaultMaxRecordAgeHours", "tried for %s h unless set"}, {"AssumedShards", "%s batches at a time where the shards are not known"},
			},
			Fails: "While the database is away, batches wait and are tried again; what is not stored in time goes to the on-failure bucket, and `millrace replay` brings it back. " +
				"What Postgres can never store goes to quarantine, and the rest of its batch into the table. A crash in the middle repeats a batch, and each event stays one row.",
			InProd: []string{"Loader"},
			Tests: [][2]string{
				{"test/soak/soak_test.go", "TestCrashBetweenAnyTwoMessagesLosesNothing"},
				{"test/e2e/arrival_test.go", "TestWhatPostgresCanNeverStoreIsInTheLakeAndInQuarantineAndStopsNothing"},
				{"constructs/load/mapping_test.go", "TestRecordsReachTheBucketBeforeAnyStreamForgetsThem"},
			},
		},
		{
			Name: "database.PrivateRds",
			Limits: []Limit{
				{"minStorageGiB", "%s GiB at least"}, {"maxStorageGiB", "%s GiB at most"}, {"DefaultStorageGrowth", "grows by itself to %s times its size"}, {"maxBackupDays", "backups reach back %s days at most"},
			},
			Fails:  "A zone's loss is a failover where there are two, and an outage where there is one. Storage that is full, or connections that are all taken, refuse the loader, which waits. A row that was deleted or a table that was dropped comes back from a backup, or from the lake.",
			InProd: []string{"Database"},
			Tests: [][2]string{
				{"test/e2e/volume_test.go", "TestFlightsAreInBothLakesAndTheTableEachOnceAfterACrashAndAnOutage"},
				{"constructs/database/reach/reach_test.go", "TestNothingLeadsToTheDatabaseOfAnyEnvironment"},
				{"constructs/load/concurrency_test.go", "TestAWarningSaysInNumbersThatTheConnectionsDoNotSuffice"},
			},
		},
		{
			Name:   "recovery.Backups",
			Limits: []Limit{{"DefaultKeepDays", "kept %s days unless set"}, {"StartWithinHours", "begun within %s h"}, {"EndWithinHours", "and done within %s h more, or cancelled"}},
			Fails:  "A backup that has not begun or ended in time is cancelled, and the day has no recovery point. A copy that fails leaves the first vault's.",
			Tests: [][2]string{
				{"constructs/recovery/recovery_test.go", "TestTheTwoLinesOfTheReadmeProtectTheLakeAndTheDatabase"},
				{"constructs/recovery/recovery_test.go", "TestEachRecoveryPointIsCopiedToEveryVaultThatIsNamed"},
			},
		},
		{
			Name:   "recovery.Replication",
			Limits: []Limit{{"TimeControlMinutes", "within %s min"}},
			Fails:  "An object that cannot be replicated is counted as failed, and stays in the first region alone; what was there before the rule was is never copied by it. Deletions are not copied.",
			Tests: [][2]string{
				{"constructs/recovery/recovery_test.go", "TestObjectsAreReplicatedWithinAKnownTimeAndDeletionsAreNot"},
				{"constructs/recovery/recovery_test.go", "TestHowFarTheReplicaIsBehindIsMeasured"},
			},
		},
		{
			Name:   "recovery.Vault",
			Limits: []Limit{{"leastGrace", "a lock can be taken back for %s days at least"}},
			Fails:  "A lock in force cannot be removed, by anybody: what is in the vault is paid for until it expires. Without its key no recovery point can be restored.",
			Tests: [][2]string{
				{"constructs/recovery/recovery_test.go", "TestAVaultIsLockedAndAdmitsOthersIfAsked"},
				{"constructs/recovery/recovery_test.go", "TestAVaultAndItsKeyOutliveTheirStack"},
			},
		},
		{
			Name:  "observe.Alerts",
			Fails: "An address that has not confirmed its subscription is told nothing, and nothing says so: confirm it, and look at the topics' subscriptions after each change of people. Its key must let CloudWatch use it, or alarms change their state and tell nobody.",
			Tests: [][2]string{
				{"constructs/observe/observe_test.go", "TestEveryWatchedAlarmTellsTicketsOfItselfAndOfItsEnd"},
				{"constructs/observe/observe_test.go", "TestBothTopicsAreEncryptedAndTakeFromCloudWatchAndOverTLSAlone"},
			},
		},
		{
			Name:   "observe.Symptoms",
			Fails:  "An alarm of no symptom pages nobody and opens a ticket. A symptom that explains another keeps it from paging, so that the second is seen on the dashboard alone.",
			InProd: []string{"Symptoms"},
			Tests: [][2]string{
				{"constructs/observe/observe_test.go", "TestASymptomPagesOnceForAllItsCriticalAlarmsAndNoWarning"},
				{"constructs/observe/observe_test.go", "TestWhatExplainsASymptomKeepsItFromPaging"},
			},
		},
		{
			Name:  "observe.Dashboard",
			Fails: "Shows what CloudWatch has, minutes late; the cost on it is an estimate from list prices. Nobody is told by a dashboard.",
			Tests: [][2]string{
				{"constructs/observe/dashboard_test.go", "TestADashboardBeginsWithWhatIsRedAndGoesOnByStage"},
				{"constructs/observe/dashboard_test.go", "TestCostIsOfWhatWasCountedAndOfPricesPerMillionEvents"},
			},
		},
		{
			Name:  "observe.DeadLetters",
			Fails: "Messages that nobody takes out are deleted when the queue's retention ends; the alarm on their age comes before that.",
			Tests: [][2]string{{"constructs/observe/dashboard_test.go", "TestADeadLetterQueueIsWatchedByItsDepthAndByItsAgeAgainstTheRetention"}},
		},
		{
			Name:  "observe.Releases",
			Fails: "A pipeline that is stuck at an approval fails nothing, and is no alarm.",
			Tests: [][2]string{{"constructs/observe/dashboard_test.go", "TestAPipelineIsWatchedByItsFailedExecutions"}},
		},
		{
			Name:   "rollout.Rollout",
			Fails:  "A hook that refuses, or an alarm while traffic moves, takes the alias back to the old version, and the deploy fails. What the new version did to its share of the events until then stays done: replay what it put aside.",
			InProd: []string{"LakeRollout", "ParquetLakeRollout", "LoaderRollout"},
			Tests: [][2]string{
				{"constructs/rollout/rollout_test.go", "TestAnErrorOfTheAliasTakesARolloutBack"},
				{"constructs/rollout/rollout_test.go", "TestTheAliasWaitsForTheHooksThatKnowTheNewVersion"},
			},
		},
		{
			Name:  "release.Pipeline",
			Fails: "A stage that fails, its check included, stops the change before the next one; what was deployed stays deployed, and is taken back by hand. A pipeline that cannot change itself any more is deployed by hand once.",
			Tests: [][2]string{
				{"constructs/release/release_test.go", "TestAChangeGoesThroughEveryStageInOrder"},
				{"constructs/release/release_test.go", "TestAPersonSeesWhatWillChangeBeforeTheyAgree"},
			},
		},
		{
			Name:  "release.CheckRole",
			Fails: "A check that may not read what it looks for fails, and with it the stage: nothing goes on unchecked.",
			Tests: [][2]string{{"constructs/release/checkrole_test.go", "TestACheckRoleIsAssumedByOneRoleAndReadsTheOutputsOfItsStacks"}},
		},
		{
			Name:   "gofunc.GoFunction",
			Limits: []Limit{{"maxMemoryMiB", "%s MiB at most"}, {"maxTimeout", "%s s at most"}, {"maxEnvironmentBytes", "%s bytes of variables"}},
			Fails:  "A package that does not compile fails the synth, in the compiler's words. What fails at run time is its caller's to repeat.",
			Tests: [][2]string{
				{"constructs/gofunc/gofunc_test.go", "TestAPackageThatDoesNotCompilePanicsInTheCompilersWords"},
				{"constructs/gofunc/build_test.go", "TestSameSourcesInTwoFoldersGiveTheSameBytes"},
			},
		},
	}
}
