namespace EvenKeel.Kafka;

/// <summary>
/// What went wrong, by librdkafka's number: negative ones come from the client itself, positive ones from the broker (Kafka's protocol).
/// A number that is not listed here still has its name and text: <see cref="KafkaErrorCodes.Describe"/>.
/// </summary>
public enum KafkaErrorCode
{
    /// <summary>A received message cannot be decoded.</summary>
    MalformedMessage = -199,

    /// <summary>The compression is not known to this build of librdkafka, or its data is damaged.</summary>
    BadCompression = -198,

    /// <summary>The client is being destroyed.</summary>
    ClientDestroyed = -197,

    /// <summary>The connection to a broker broke.</summary>
    Transport = -195,

    /// <summary>Memory, threads or descriptors ran out.</summary>
    OutOfResources = -194,

    /// <summary>A broker's name does not resolve.</summary>
    UnresolvedHost = -193,

    /// <summary>A message reached its delivery time-out.</summary>
    MessageTimedOut = -192,

    /// <summary>The end of a partition was reached (only with <c>enable.partition.eof</c>).</summary>
    PartitionEnd = -191,

    /// <summary>The partition does not exist in the cluster, as far as the client knows.</summary>
    UnknownPartition = -190,

    /// <summary>A file operation failed.</summary>
    FileSystem = -189,

    /// <summary>The topic does not exist in the cluster, as far as the client knows.</summary>
    UnknownTopic = -188,

    /// <summary>No broker is connected.</summary>
    AllBrokersDown = -187,

    /// <summary>An argument or a combination of settings is not valid.</summary>
    InvalidArgument = -186,

    /// <summary>A call reached its time-out.</summary>
    TimedOut = -185,

    /// <summary>librdkafka's queue is at its limit of messages or bytes.</summary>
    QueueFull = -184,

    /// <summary>The TLS handshake or a certificate failed.</summary>
    TlsFailed = -181,

    /// <summary>The group's coordinator is not known yet.</summary>
    WaitingForCoordinator = -180,

    /// <summary>The same operation runs already.</summary>
    InProgress = -178,

    /// <summary>The operation before must end first.</summary>
    PreviousInProgress = -177,

    /// <summary>A rebalance event that assigns.</summary>
    AssignPartitions = -175,

    /// <summary>A rebalance event that revokes.</summary>
    RevokePartitions = -174,

    /// <summary>The arguments exclude each other.</summary>
    Conflict = -173,

    /// <summary>The client or partition is not in a state for this call.</summary>
    WrongState = -172,

    /// <summary>This build of librdkafka, or this kind of client, does not have it.</summary>
    NotImplemented = -170,

    /// <summary>The broker refused the credentials, or they could not be sent.</summary>
    AuthenticationFailed = -169,

    /// <summary>There is no offset to commit.</summary>
    NoStoredOffset = -168,

    /// <summary>The operation was overtaken by another.</summary>
    OutdatedOperation = -167,

    /// <summary>A request timed out before it was sent.</summary>
    TimedOutInQueue = -166,

    /// <summary>The broker is too old for it.</summary>
    UnsupportedFeature = -165,

    /// <summary>The object cannot be changed.</summary>
    ReadOnly = -157,

    /// <summary>There is no such element.</summary>
    NotFound = -156,

    /// <summary>A setting or argument has the wrong type.</summary>
    InvalidType = -154,

    /// <summary>The operation should be tried again.</summary>
    RetryLater = -153,

    /// <summary>A message was purged before it was sent: safe to send again.</summary>
    PurgedInQueue = -152,

    /// <summary>A message was purged after it was sent: it may have been written.</summary>
    PurgedInFlight = -151,

    /// <summary>The client can do no more; a new one is needed.</summary>
    Fatal = -150,

    /// <summary>State and metadata contradict each other.</summary>
    Inconsistent = -149,

    /// <summary>A message failed and ordering without gaps was asked for.</summary>
    GaplessGuaranteeBroken = -148,

    /// <summary>The application did not poll within <c>max.poll.interval.ms</c>.</summary>
    MaxPollExceeded = -147,

    /// <summary>There is no such broker.</summary>
    UnknownBroker = -146,

    /// <summary>What the call needs is not configured.</summary>
    NotConfigured = -145,

    /// <summary>Another client with the same identity took over.</summary>
    FencedInstance = -144,

    /// <summary>The partitions were taken away (session expired): their offsets cannot be committed.</summary>
    AssignmentLost = -142,

    /// <summary>There was nothing to do.</summary>
    NothingToDo = -141,

    /// <summary>There is no offset to start from and none was to be chosen.</summary>
    OffsetResetFailed = -140,

    /// <summary>The log was cut before the position.</summary>
    LogTruncated = -139,

    /// <summary>Another record than the expected one is at the position.</summary>
    DifferentRecord = -138,

    /// <summary>The broker met an error that it does not name.</summary>
    UnknownBrokerError = -1,

    /// <summary>No error.</summary>
    None = 0,

    /// <summary>The offset is not in the partition.</summary>
    OffsetOutOfRange = 1,

    /// <summary>The message failed its checksum or its format at the broker.</summary>
    CorruptMessage = 2,

    /// <summary>The broker does not have the topic or partition.</summary>
    UnknownTopicOrPartition = 3,

    /// <summary>The message has an invalid size.</summary>
    InvalidMessageSize = 4,

    /// <summary>The partition has no leader at the moment.</summary>
    LeaderNotAvailable = 5,

    /// <summary>The broker does not lead the partition.</summary>
    NotLeader = 6,

    /// <summary>The broker could not finish within the request's time-out.</summary>
    RequestTimedOut = 7,

    /// <summary>The broker is not available.</summary>
    BrokerNotAvailable = 8,

    /// <summary>A replica is not available.</summary>
    ReplicaNotAvailable = 9,

    /// <summary>The message is larger than the topic or the client allows.</summary>
    MessageTooLarge = 10,

    /// <summary>The broker lost a connection.</summary>
    NetworkException = 13,

    /// <summary>The coordinator is reading its state.</summary>
    CoordinatorLoadInProgress = 14,

    /// <summary>The coordinator is not available.</summary>
    CoordinatorNotAvailable = 15,

    /// <summary>The broker is not the coordinator.</summary>
    NotCoordinator = 16,

    /// <summary>The topic's name is not valid.</summary>
    InvalidTopic = 17,

    /// <summary>The batch is larger than the broker's segment.</summary>
    RecordListTooLarge = 18,

    /// <summary>Fewer replicas in sync than <c>min.insync.replicas</c>; nothing was written.</summary>
    NotEnoughReplicas = 19,

    /// <summary>The same, but the message was written to the leader.</summary>
    NotEnoughReplicasAfterAppend = 20,

    /// <summary>The value of <c>acks</c> is not valid.</summary>
    InvalidRequiredAcks = 21,

    /// <summary>The member's generation is over.</summary>
    IllegalGeneration = 22,

    /// <summary>The members of the group have no assignor in common.</summary>
    InconsistentGroupProtocol = 23,

    /// <summary>The group's name is not valid.</summary>
    InvalidGroupId = 24,

    /// <summary>The coordinator does not know the member.</summary>
    UnknownMember = 25,

    /// <summary>The session time-out is outside the broker's limits.</summary>
    InvalidSessionTimeout = 26,

    /// <summary>The group is rebalancing.</summary>
    RebalanceInProgress = 27,

    /// <summary>The principal may not use the topic.</summary>
    TopicAuthorizationFailed = 29,

    /// <summary>The principal may not use the group.</summary>
    GroupAuthorizationFailed = 30,

    /// <summary>The principal may not do this to the cluster (idempotent writing included).</summary>
    ClusterAuthorizationFailed = 31,

    /// <summary>The message's timestamp is outside the topic's limits.</summary>
    InvalidTimestamp = 32,

    /// <summary>The broker does not offer the SASL mechanism.</summary>
    UnsupportedSaslMechanism = 33,

    /// <summary>A SASL request came out of turn.</summary>
    IllegalSaslState = 34,

    /// <summary>The broker does not know this version of the request.</summary>
    UnsupportedVersion = 35,

    /// <summary>The topic exists already.</summary>
    TopicAlreadyExists = 36,

    /// <summary>The number of partitions is not valid.</summary>
    InvalidPartitions = 37,

    /// <summary>There are fewer brokers than replicas.</summary>
    InvalidReplicationFactor = 38,

    /// <summary>A topic's setting is not valid.</summary>
    InvalidConfiguration = 40,

    /// <summary>The broker is not the controller.</summary>
    NotController = 41,

    /// <summary>The request contradicts itself.</summary>
    InvalidRequest = 42,

    /// <summary>The broker's policy forbids it.</summary>
    PolicyViolation = 44,

    /// <summary>The idempotent producer's sequence has a gap.</summary>
    OutOfOrderSequence = 45,

    /// <summary>The idempotent producer sent what the broker has already.</summary>
    DuplicateSequence = 46,

    /// <summary>A newer producer has taken over.</summary>
    InvalidProducerEpoch = 47,

    /// <summary>The principal may not use the transactional id.</summary>
    TransactionalIdAuthorizationFailed = 53,

    /// <summary>The broker's disk failed.</summary>
    KafkaStorageError = 56,

    /// <summary>The broker refused the credentials.</summary>
    SaslAuthenticationFailed = 58,

    /// <summary>The broker has forgotten the idempotent producer.</summary>
    UnknownProducerId = 59,

    /// <summary>The group has members.</summary>
    GroupNotEmpty = 68,

    /// <summary>There is no such group.</summary>
    GroupNotFound = 69,

    /// <summary>The broker does not delete topics.</summary>
    TopicDeletionDisabled = 73,

    /// <summary>The client's leader epoch is older than the broker's.</summary>
    FencedLeaderEpoch = 74,

    /// <summary>The client's leader epoch is newer than the broker's.</summary>
    UnknownLeaderEpoch = 75,

    /// <summary>The broker does not know the compression.</summary>
    UnsupportedCompression = 76,

    /// <summary>The new leader does not know its high watermark yet.</summary>
    OffsetNotAvailable = 78,

    /// <summary>The coordinator gives the member an id first.</summary>
    MemberIdRequired = 79,

    /// <summary>The group is full.</summary>
    GroupMaxSizeReached = 81,

    /// <summary>A static member of the same name took over.</summary>
    FencedInstanceId = 82,

    /// <summary>The broker refuses the record.</summary>
    InvalidRecord = 87,

    /// <summary>A transaction's offsets are not decided yet.</summary>
    UnstableOffsetCommit = 88,

    /// <summary>A quota of the broker is used up.</summary>
    ThrottlingQuotaExceeded = 89,

    /// <summary>A newer producer has taken over.</summary>
    ProducerFenced = 90,

    /// <summary>The broker does not know the topic's id (deleted, or made again).</summary>
    UnknownTopicId = 100,

    /// <summary>The member's epoch is over (new group protocol).</summary>
    FencedMemberEpoch = 110,

    /// <summary>The static member is still there (new group protocol).</summary>
    UnreleasedInstanceId = 111,

    /// <summary>The broker does not have the assignor (new group protocol).</summary>
    UnsupportedAssignor = 112,

    /// <summary>The member's epoch is behind (new group protocol).</summary>
    StaleMemberEpoch = 113,
}
