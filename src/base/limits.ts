/**
 * Every limit and deadline in one place. Sizes in bytes, times in the unit of the name.
 */
export const limits = {
  /** A frame of the compile socket. */
  frameBytes: 16_777_216,
  /** Unfinished frames of all connections of the compile socket together. */
  pendingFrameBytes: 134_217_728,
  /** From a connection, or the first byte of a frame, to the frame's last byte. The wrapper itself waits for 2 s at most. */
  frameDeadlineMs: 10_000,
  /** Arguments of one compiler invocation, response files expanded. */
  compilerArguments: 32_768,
  /** Nesting of response files. */
  responseFileDepth: 10,
  /** A source or header that is hashed and scanned in memory. */
  sourceBytes: 67_108_864,
  /** One stored blob. */
  blobBytes: 2_147_483_648,
  /** The thread that hashes large blobs while they come ends when none has come for so long. */
  hashThreadIdleMs: 30_000,
  /** Half of a large blob that has not grown for so long is removed when somebody wants room. */
  unfinishedMs: 60_000,
  /** Large blobs of which parts are asked for: those known to have been verified as a whole, for how long that is relied on, and passes at once. */
  verified: { files: 1_024, keptMs: 300_000, passes: 2 },
  /** `cairn doctor` reads blobs for so long, and leaves out larger ones; `--store` reads all. */
  sampleMs: 700,
  sampleBlobBytes: 33_554_432,
  /** Compiler output kept with a result. */
  capturedBytes: 8_388_608,
  /** Input files of one compile. */
  inputs: 60_000,
  /** Entries (variants) kept for one manifest key. */
  entriesPerManifest: 24,
  /** Files whose digest is remembered in memory. */
  fileTableEntries: 32_768,
  /** What wrappers remember of files' contents: 2,048 blocks of 4,096. docs/protocol/hot-record.md */
  contentsTableBytes: 8_388_608,
  /** Paths that are remembered not to exist. */
  absencesRemembered: 65_536,
  /** Directories whose compiles' paths are remembered, and paths of each. */
  placesRemembered: 8,
  /** Units of another checkout for which answers are laid out ahead: at all, at first, and of all checkouts that nobody has used yet. */
  laidOutUnits: 8_192,
  laidOutFirst: 32,
  laidOutUnused: 1_024,
  /** Checkouts in which answers are laid out at the same time. */
  laidOutCheckouts: 16,
  /** Units that wait until an answer for every checkout is made of them, and hits by such answers that wait to be told of. */
  movableWaiting: 8_192,
  /** Of units that are compiled in several ways: what is kept of all but the last. */
  movableReplacedBytes: 8_388_608,
  /** Hits by such answers that are told of while somebody waits. */
  movedToldAtOnce: 32,
  /** A directory that holds more is not listed; of all that are, so many names are remembered. */
  listedNames: 2_000,
  listingsRemembered: 65_536,
  /** Places whose names are known to messages. */
  messagePlacesRemembered: 256,
  placesPathsRemembered: 8_192,
  /** Paths at which compilers look for headers, remembered over compiles. */
  lookupsRemembered: 65_536,
  /** Files of which it is remembered what they may include: files and names together. */
  closureStepsRemembered: 65_536,
  /** Source files whose scan is remembered in memory. */
  scanCacheEntries: 2_048,
  /** Contents of which it is remembered whether they name a place: 200 bytes each. */
  placeNamesRemembered: 16_384,
  /** The same for what they include: names, and files, together. */
  scanCacheWeight: 65_536,
  /** Source files whose tokens are remembered in memory; only files of the project itself. */
  tokenCacheEntries: 512,
  /** Answers that are remembered in memory: names of files in them, about 100 bytes each. */
  recentAnswersWeight: 32_768,
  /** Source files whose last compile `cairn explain` can tell. */
  historyEntries: 50_000,
  /** Connections of the compile socket at once. */
  connections: 4_096,
  /** Connections of the control socket at once. */
  controlConnections: 64,
  /** A compile that was handed to a client and never came back. */
  jobDeadlineMs: 21_600_000,
  /** A stat younger than this is not believed: file systems' clocks tick up to 10 ms apart. */
  racyWindowMs: 20,
  /** The daemon's log; as much again is kept of what was before. */
  logBytes: 8_388_608,
  /** Probing a compiler for its version, directories and parts. */
  probeDeadlineMs: 10_000,
  /** A compiler that was not understood is looked at again after this: on a busy machine it may have missed the deadline. */
  compilerAgainMs: 60_000,
  /** Compilers on PATH that are looked at before anybody uses them. No more than 64 are told to members, those that are used included. */
  compilersLooked: 32,
  /** Text that a probed compiler may print. */
  probeBytes: 4_194_304,
  /** A preprocessed source that is searched for its place. */
  preprocessedBytes: 134_217_728,
  /** Somebody builds with others' results when the last was brought less than so long ago. */
  bringingMs: 150,
  /** Finished compiles that wait to be digested, and what their outputs may take. */
  digestsWaiting: 512,
  digestBytesWaiting: 33_554_432,
  /** When a daemon ends, what waits has so long. */
  digestAtEndMs: 2_000,
  /** Results whose place is only presumed and that wait to be looked at. */
  proofsWaiting: 2_048,
  /** How often one is looked at again because the preprocessor gave no answer: it has little time while others want the processor. */
  proofsAgain: 2,
  /** Without a question for this long, work that nobody waits for may begin. */
  quietMs: 3_000,
  /** Clocks of members may be wrong by this much. */
  clockErrorMs: 3_600_000,
  /** Members that a network ever had, those who left or were revoked included. */
  members: 10_000,
  domains: 256,
  /** Domains on trial, policies and revocations that wait to be accepted, of one author; but for revocations by who speaks for the first domain. */
  proposals: 5,
  /** What a network's policy may say: domains that must vouch, one of so many that is executed again; and how often it may change. */
  policy: { quorumMost: 64, auditMost: 1_000, changes: 65_536, toolchains: 32 },
  /** Invitations of one member that are neither redeemed nor expired. */
  openInvitations: 5,
  /** The longest that an invitation may be good for. */
  invitationMs: 2_592_000_000,
  /** Operations that one member may ever sign. */
  operationsPerMember: 4_096,
  /** Operations of one author that are in no epoch yet. */
  pendingPerMember: 64,
  /** The same for all authors whom this node does not know together. */
  pendingOfStrangers: 256,
  /** The same for all authors together; above it only what admins signed is kept. */
  pendingOperations: 8_192,
  epochs: 65_536,
  operationsPerEpoch: 128,
  /** A signed statement; an epoch holds many. */
  statementBytes: 2_048,
  epochBytes: 262_144,
  /** Addresses of one member that are remembered and passed on. */
  addressesPerHost: 8,
  addressBytes: 128,
  /** The only frame that an unknown peer may send. */
  helloBytes: 8_192,
  /** From a connection to the end of its handshake. */
  helloDeadlineMs: 5_000,
  /**
   * Connections that have not proved to be a member's: at once, and new ones a minute from one IP address and from all; each twice, for
   * addresses from which members have come, and for all others.
   */
  unprovenConnections: 32,
  unprovenPerAddress: 60,
  unprovenPerMinute: 400,
  /** Connections that are being made, and have said nothing yet: at once, twice in the same way. */
  newcomers: 64,
  /** Of those addresses, how many are remembered. */
  familiarAddresses: 1_024,
  /** A message of a WebSocket, either way, and the headers of the request for one. */
  webSocketMessageBytes: 262_144,
  webSocketHeaderBytes: 8_192,
  quic: {
    /** Without a sign of the other side a connection ends, and with it a handshake. The same at both ends. */
    idleMs: 15_000,
    keepAliveMs: 4_000,
    /** What is read of a stream at once, and what is handed over to be sent at once. */
    pieceBytes: 65_536,
    /** What a stream holds that nobody reads, and all streams of a connection; then the sender waits. */
    streamBytes: 524_288,
    connectionBytes: 33_554_432,
    /** Kept by the system for a socket, if it allows as much. */
    socketBytes: 1_048_576,
    /** Bytes of packets that wait for a socket; above it they are lost, as packets may be. */
    queuedBytes: 1_048_576,
    /** What a newcomer may send until its connection is made; its certificate takes some 1,000. */
    newcomerBytes: 16_384,
    /** After its end a connection has so long, besides some round trips, to deliver what it was given. */
    lingerMs: 250,
  },
  /** A frame between members, and all that wait to be sent to one of them. */
  memberFrameBytes: 524_288,
  memberQueueBytes: 8_388_608,
  memberWriteDeadlineMs: 10_000,
  /** Between two pings of a link. */
  pingEveryMs: 10_000,
  /** Without any frame for so long a link is dead, whatever else arrives on its connection. */
  linkMuteMs: 120_000,
  /** Pings of one link that wait for their answer. */
  pingsWaiting: 32,
  /** What is queued for a member may take so long when its link is closed. */
  linkFlushMs: 1_000,
  connectionsPerPeer: 4,
  /** A ping that is not answered in so long makes a node look for another way to the member. */
  linkDoubtMs: 2_000,
  /** So many of them in a row, one after the other, and the link is dead; fewer could be queueing behind what others send. */
  linkDoubts: 6,
  /** A link that another one could replace has so long to show that it lives; again and again while something arrives, but not longer than the second. */
  linkProbeMs: 2_000,
  linkProbeMostMs: 30_000,
  /** Members that a node is connected with at once. */
  peers: 200,
  peerSet: {
    /** Of them, those that it chooses itself where there are more; the others come by themselves. */
    outbound: 75,
    attempts: 8,
    /** An attempt from which no link has come: dialling, a hello and opening a stream have had their time. */
    attemptMs: 20_000,
    /** Members beyond the most, for whom there is room for a while only: somebody who has just joined needs to hear who else there is. */
    guests: 8,
    guestMs: 10_000,
    /** To return to after a restart. */
    anchors: 6,
    /** How often somebody else is tried. */
    feelerEveryMs: 4_000,
    retryMs: 120_000,
    /** A link that ends sooner counts like none. */
    shortMs: 30_000,
    /** Being cut off for so long is worth an alarm. */
    alarmAfterMs: 45_000,
  },
  /** Streams of one connection, all protocols together. */
  streamsPerPeer: 160,
  dialDeadlineMs: 10_000,
  /** Where an invitation names nobody who answers, those it names are listened for so long. */
  joinListenMs: 3_000,
  /** The first frame either way of a stream of the data plane. */
  dataOpeningBytes: 1_024,
  /** From asking for such a stream to its first byte; within it, reaching the member directly. */
  dataOpenDeadlineMs: 10_000,
  dataDialDeadlineMs: 3_000,
  /** Before the next way to a member is tried as well, where nothing is known of the first. */
  dataHeadStartMs: 1_000,
  /** A way that failed is tried last for so long, at first and at most. */
  dataAvoidFirstMs: 30_000,
  dataAvoidMostMs: 900_000,
  /** Streams of the data plane: of one member, and of all. */
  dataStreamsPerMember: 256,
  dataStreams: 1_024,
  /** Of those, over libp2p, whose connections carry no more streams than streamsPerPeer. */
  dataStreamsRelayed: 32,
  /** TLS connections that have not proved to be a member's, at once. */
  dataUnproven: 64,
  /** TLS handshakes with one member at once that this node begins; the others wait. */
  dataHandshakes: 8,
  /** A TLS connection on which nothing moves is asked after so long whether it lives. */
  dataKeepAliveMs: 15_000,
  /** Bytes on their way between two threads, one way of one stream. */
  dataThreadBytes: 1_048_576,
  /** One measurement of a path: bytes one way, and time for them; what did not fit is left out. */
  measureBytes: 4_294_967_296,
  measureMs: 20_000,
  /** What is exposed, and what is forwarded, by one node. */
  tunnels: 64,
  /** Connecting to what is exposed. */
  tunnelConnectMs: 5_000,
  /** A tunnel's connection on which nothing moves ends. */
  tunnelIdleMs: 43_200_000,
  /** A local address that could not be listened on is tried again. */
  tunnelRetryMs: 5_000,
  /** Pause before a member that could not be reached is dialled again, at first and at most. */
  redialFirstMs: 250,
  redialMostMs: 60_000,
  /** Results of this node that wait to be signed. */
  unsignedResults: 4_096,
  /** Requests for which it is remembered whose results were not believed. */
  refusedRemembered: 1_024,
  /** What a result may consist of that travels; docs/protocol/attestation.md. */
  sharedInputs: 4_096,
  sharedAbsences: 16_384,
  sharedOutputs: 64,
  sharedPrintedBytes: 65_536,
  sharedPathBytes: 4_096,
  /** An attestation in an envelope, as it is exported, and the signatures in it that are looked at. */
  envelopeBytes: 4_194_304,
  envelopeSignatures: 16,
  /** A file of several envelopes, one in a line. */
  bundleBytes: 268_435_456,
  /** Signed results that are kept to be served: all together, of one signer, and of one result. */
  attestations: 200_000,
  attestationsPerSigner: 100_000,
  attestationsPerResult: 8,
  /** Public keys that are kept ready for verifying. */
  publicKeysRemembered: 1_024,
  /** Signatures that hold and need not be verified again: 100 bytes each. */
  signaturesRemembered: 32_768,
  /** docs/protocol/exchange.md */
  shareFrameBytes: 1_048_576,
  shareAnswerMs: 2_000,
  sharePieceMs: 10_000,
  shareQuestionsAtOnce: 64,
  shareManifestsAtOnce: 64,
  shareResultsPerManifest: 8,
  shareBlobsAtOnce: 256,
  /** A result as it travels; results that make one frame, before compression; and all that answer one question. */
  shareResultBytes: 4_194_304,
  shareResultBatchBytes: 262_144,
  shareAnswerBytes: 16_777_216,
  /** Blobs that go along with the results of one question, and in one frame. */
  shareAlongBytes: 2_097_152,
  shareAlongFrameBytes: 262_144,
  /** A piece of a blob; blobs that are no larger travel whole, many in a frame. */
  sharePieceBytes: 131_072,
  /** A blob that travels, for it is in memory meanwhile. */
  shareBlobBytes: 268_435_456,
  /** What of one question is asked for, and what has come and is not yet kept: small blobs, and larger ones, unless there is one alone. */
  shareBatchBytes: 4_194_304,
  shareUnfinishedBytes: 16_777_216,
  /** Small blobs that are read ahead for one member; larger ones for all members, unless there is one alone. */
  shareReadAheadBytes: 524_288,
  shareReadAheadFiles: 16,
  shareReadBytes: 33_554_432,
  /** What of a build is fetched before it asks: requests, at first and at most, blobs of each, and for how long it is kept. */
  aheadFirst: 4,
  aheadMost: 32,
  aheadEachBytes: 131_072,
  aheadMs: 20_000,
  /** Requests in a row that were not foreseen, after which nothing is fetched ahead any more. */
  aheadStrays: 8,
  summaryPrefixesPerMember: 262_144,
  summaryPrefixes: 4_194_304,
  summaryEveryMs: 250,
  /** A channel that could not be opened is tried again after so long, ever later; one that broke, later at once. */
  shareRetryMs: 250,
  shareReopenMs: 10_000,
  /** Who often has not what it says is left alone for so long, at first. */
  shareLeftAloneMs: 30_000,
  /** Blobs of a member's results, of which it is remembered that it has offered them. */
  shareOffered: 4_096,
  /** A lane is opened when so much has come over the link, or is asked for. */
  shareLaneFromBytes: 2_097_152,
  /** A lane on which nothing was answered for so long is closed; one that could not be opened, or broke, is tried again, ever later. */
  shareLaneIdleMs: 60_000,
  shareLaneRetryFirstMs: 500,
  shareLaneRetryMostMs: 300_000,
  /** An attestation without its inputs. */
  attestationBytes: 4_096,
  /** docs/protocol/attestation-set.md */
  attestationSet: {
    /** Attestations that a node knows: of all members, and of one. */
    most: 200_000,
    perSigner: 100_000,
    /** Ranges in one frame, and ids, and parts that a range is told in. */
    rangesAtOnce: 256,
    idsAtOnce: 4_096,
    partsMost: 16,
    /** Fewer ids of a range are told one by one. */
    leaf: 16,
    /** Attestations that are asked of one member at once, and what of them makes one frame, before compression. */
    wantedAtOnce: 1_024,
    frameBytes: 131_072,
    /** Ids that are to be asked of one member. */
    wantsWaiting: 65_536,
    /** Ranges that a node asks about in one round of comparing. */
    rangesPerSession: 65_536,
    /** A member has so long to answer; one that is late is left alone for a while. */
    answerMs: 10_000,
    lateMs: 60_000,
    /** Comparing with one member; the rest is found the next time. */
    sessionMs: 120_000,
    /** Attestations that wait to be verified; more news are not looked at. */
    admittingMost: 65_536,
    /** What a member may ask and tell unasked: ranges, and attestations, in a second on average and at once. */
    rangesPerSecond: 2_000,
    rangesBurst: 16_384,
    newsPerSecond: 200,
    newsBurst: 4_096,
    /** What a member may ask for: attestations. */
    servedPerSecond: 1_000,
    servedBurst: 400_000,
    /** Of one answer, attestations of signers that are no members here; who sends more is left alone for a while. */
    unwelcomeMost: 64,
    /** Own attestations that wait to be told to one member; more are found by comparing. */
    newsWaiting: 4_096,
    /** Copies of linked members are compared now and then, whatever was told. */
    compareEveryMs: 15_000,
  },
  gossip: {
    /** Peers of a topic to whom each message goes at once: fewer are filled up to what is wanted, more are cut down to it. */
    meshLeast: 8,
    meshWanted: 9,
    meshMost: 10,
    /** A node's own messages go to so many at once. */
    publishMost: 32,
    /** Of the key of a peer, where the author of a message tells to whom it has gone. */
    givenBytes: 8,
    /** Between two beats, in which meshes are kept and peers judged. */
    beatMs: 500,
    /** Who was put out of a mesh is not asked again before. */
    backoffMs: 30_000,
    /** A peer that is tested has so long to pass a message on. */
    testMs: 750,
    /** With this score a peer is tested with so many of the messages only that could test it. */
    trusted: 2,
    retestShare: 0.25,
    /** What a peer has at most for passing messages on, loses by not passing one on, and must have more than. */
    scoreMost: 6,
    scoreLoss: 3,
    scoreLeast: -1,
    scoreHalfLifeMs: 600_000,
    /** Peers that hear in each beat what messages there were, and beats in which a message's id is told. */
    lazyPeers: 2,
    lazyBeats: 2,
    /**
     * Ids in one item; ids that were asked for and did not come yet, and how many of them because one peer told of them first; how long they
     * may take; how many peers are asked, of how many that have it.
     */
    idsAtOnce: 512,
    wantsWaiting: 16_384,
    wantsOfOne: 2_048,
    wantMs: 3_000,
    wantAsks: 3,
    wantOthers: 16,
    /** Ids that are remembered, so that no message is passed on twice. */
    seenMost: 32_768,
    seenMs: 300_000,
    /** Messages that can be asked for; of some topics, the last one of each author besides. */
    recentMost: 4_096,
    recentMs: 10_000,
    /** What a message may hold, and how many of them come in one frame. */
    contentBytes: 4_096,
    messagesPerFrame: 64,
    topicCharacters: 64,
    topicsPerPeer: 64,
    /** Messages of one author that a node takes and passes on: in a second on average, and at once. */
    authorPerSecond: 20,
    authorAtOnce: 200,
    /** Messages, repeated ones too, and ids that are asked for, of one link: in a second on average, and at once. More end it. */
    linkPerSecond: 5_000,
    linkAtOnce: 20_000,
    /** Of each author: numbers of messages that are remembered. What is older than all of them is not news. */
    sequencesPerAuthor: 256,
    /** What goes to one peer is gathered for so long: a frame for each message would cost more than the wait. */
    lingerMs: 2,
  },
  overlay: {
    /** Of each distance, contacts and those who could take their place. */
    buckets: { bucket: 20, spares: 5 },
    /** Members that are told in one answer. */
    answerMost: 16,
    /** Of one lookup: who is responsible, questions at once and altogether, members that are kept in mind. */
    lookup: { replicas: 8, parallel: 3, questions: 64, candidates: 1_024 },
    /** After so long without an answer somebody else is asked as well; after so long, none is awaited. Connecting takes its part of both. */
    lateMs: 500,
    questionMs: 5_000,
    /** A question or an answer; what a member says of its addresses, and of those that work from one place, how often it says it. */
    frameBytes: 131_072,
    recordBytes: 1_536,
    recordsPerMember: 4,
    /** What a member has said of its addresses counts for so long, and is said again after so long. */
    recordMs: 86_400_000,
    renewMs: 14_400_000,
    /** Questions of one member: at once, and in a second. More end its stream. */
    questionsAtOnce: 200,
    questionsPerSecond: 20,
    /** A stream on which nothing is asked ends, and the connection with it when it was made for that. */
    idleMs: 15_000,
    /** Streams to other members that are open at once. */
    streams: 48,
    /** How often a node looks whether it should make itself known, or look for somebody. */
    lookMs: 5_000,
    /** Manifests that one question is about: wanted, with members that have some of them, and provided. */
    wantedAtOnce: 256,
    providersAtOnce: 32,
    providedAtOnce: 4_096,
    /** What a node keeps of who has what: of one member, and of all; and for how long. It is told again after so long. */
    providedPerMember: 8_192,
    provided: 131_072,
    providedMs: 86_400_000,
    provideAgainMs: 28_800_000,
    /** Misses that wait to be asked about; after so long one may be asked about again. */
    wantedWaiting: 4_096,
    wantAgainMs: 600_000,
    /** Who is responsible for a part of all manifests is looked up again after so long. */
    regionMs: 3_600_000,
    /** What was made waits so long for more to be told with it. */
    provideLingerMs: 10_000,
    /** A member that was looked for in vain is looked for again after so long, at first and at most. */
    againFirstMs: 30_000,
    againMostMs: 3_600_000,
  },
  /** docs/protocol/agreement.md */
  agreement: {
    /** With fewer domains none may lie, and admins decide alone. */
    domainsLeast: 4,
    /** So long the first view of a ballot lasts, and each that follows by this factor longer, up to the most. */
    viewMs: 500,
    viewGrowth: 1.15,
    viewMostMs: 10_000,
    /** How soon what others may lack is said again, and by which factor later each time, up to the most, while nothing new is heard. */
    repeatMs: 60,
    repeatGrowth: 1.2,
    repeatMostMs: 5_000,
    /** Views of one ballot. Only with a quorum that is there and for hours proposes nothing are there so many. */
    views: 1_024,
    /** Votes are taken of so many views after the one that this node is in, and kept of so many before it; certificates are kept of all. */
    viewsAhead: 16,
    viewsKept: 4,
    votesPerFrame: 4_096,
    certificatesPerFrame: 16,
    valuesPerFrame: 2,
    /** The votes that go with an epoch: room for those of all domains. */
    decisionBytes: 20_480,
    /** How often time is told at most while there is something to decide. */
    tickMs: 20,
    /** Who puts a member out waits so long for the domains to decide it before it is told that they have not yet. */
    decidedWithinMs: 5_000,
    framesPerSecond: 100,
    framesAtOnce: 500,
    framesWaiting: 32,
    idleMs: 600_000,
    openMs: 3_000,
    frameBytes: 1_048_576,
  },
  /** docs/protocol/placement.md */
  placement: {
    /** Who is asked where a unit should be done has so long to answer; then this node decides. */
    answerMs: 100,
    /** Units that one frame asks about, members that are named for each, and members in one word that units are done. */
    questionsPerFrame: 64,
    ableMost: 16,
    frameMembers: 256,
    frameBytes: 65_536,
    /** Frames of one member: in a second on average, and at once. */
    framesPerSecond: 2_000,
    framesAtOnce: 8_000,
    /** Frames that wait until a member takes them. */
    framesWaiting: 256,
    /** A stream on which nothing is said ends; one is opened, or closed, in so long. */
    idleMs: 600_000,
    openMs: 3_000,
    /** Members that hear of a unit when nobody seems to have room, and that may be responsible for one. */
    announceMost: 8,
    responsibleMost: 4,
    /** What is taken for what sending costs before it has been measured: always, round trips, and bytes of what a member lacks of the inputs; no link counts as faster. */
    overheadMs: 20,
    roundTrips: 3,
    bytesPerMs: 100_000,
    /** Expected work that one member has of this node, where as many units are sent as bridge a long way. */
    underWayMs: 30_000,
    /** What a unit takes of which nothing is known. */
    unknownCostMs: 1_000,
    /** A slot that was given away and of which nothing is heard is free again; so is one that somebody was told to come to. */
    claimMs: 900_000,
    reserveMs: 500,
    /** Slots of one member, units of this node, and slots for one member, that are given away at once. */
    claimMost: 4_096,
    grantsMost: 1_024,
    /** Who has asked a coordinator within this time shares the slots with all others who have. */
    askingMs: 1_000,
    /** What is given to a member may not be in what it tells after that for so long. */
    settleMs: 250,
    /** The same for what members were told to send to this node. */
    settleHereMs: 25,
    /** What was given to a member so long ago, and is not in what it tells, has ended. */
    phantomMs: 10_000,
    /** Who has said to be busy is held to be for so long. */
    busyMs: 250,
    /** What a node can do for others is told when it has changed: not more often, and in a large network not more often for each of so many members. */
    tellLeastMs: 250,
    tellPerMemberMs: 12,
    /** How often it is looked whether it has. */
    tellLookMs: 1_000,
    tellRefreshMs: 60_000,
    tellStaleMs: 200_000,
    /** Toolchains that a member may say it has, and what they build for, by name; and slots. */
    toolchains: 64,
    targets: 48,
    targetBytes: 32,
    slots: 4_096,
    health: {
      /** So many checks without an answer, and the coordinator is given up. */
      missedMost: 3,
      /** Nobody who has had nothing to place for so long checks anything. */
      activeMs: 30_000,
      /** How often: as it is unless configured, at least, at most. */
      everyMs: 1_000,
      leastMs: 100,
      mostMs: 60_000,
    },
    lease: {
      /** How often it is looked at. */
      beatMs: 250,
      renewMs: 15_000,
      lapseMs: 50_000,
      /** Members take a free lease in turn: each has so long. */
      turnMs: 1_000,
      /** Whoever has just met others hears first whether one of them holds it. */
      listenMs: 2_000,
      /** A term may be so far beyond all that were heard of. */
      leapMost: 1_000_000,
      /** Terms that an epoch has, where domains agree on it: whoever leaps as far as it may, again and again, does not come to their end. */
      termsOfEpoch: 34_359_738_368,
      /** How far beyond all that were heard of a term of an epoch may be, for each of its members. */
      leapOfSeat: 64,
    },
    measured: {
      /** Observations that count at most: what is new must show. */
      recentMost: 32,
      /** Costs of a kind that are remembered of this machine, and kinds. */
      costsRecent: 15,
      kindsMost: 256,
      /** One observation, and what it cost. */
      costMost: 7_200_000,
      /** Members with kinds of work. */
      rowsMost: 1_024,
      kindCharacters: 64,
      /** Who has lost a unit is left alone for so long: at first, and at most. */
      restFirstMs: 1_000,
      restMostMs: 300_000,
      /** Who does no such work is not asked again for so long. */
      refusedMs: 60_000,
      /** How often what was measured is put on disk. */
      saveEveryMs: 60_000,
    },
  },
  /** docs/protocol/placement.md, "Reputation" */
  reputation: {
    /** What is left to who has the worst of names, or was found to lie: it may be the only one that has something. */
    floor: 0.1,
    /** Good observations of each kind that an unknown member is taken to have earned; of being there, in hours. */
    priorOf: { work: 4, fetch: 4, checked: 4, thereHours: 24 },
    /** What it matters that a member has given hits, and how many are half of what can be earned. */
    contributed: 0.2,
    contributedAt: 20,
    /** What came out otherwise here is worth so many that came out the same; what was not there, so much of what was not answered. */
    wrongWeighs: 4,
    missedWeighs: 0.25,
    /** Members, kinds of work of each, and characters of one. */
    membersMost: 512,
    kindsMost: 8,
    kindCharacters: 64,
    /** Who is there is looked at so often; and longer than twice that nobody has looked. */
    lookEveryMs: 600_000,
    saveEveryMs: 60_000,
    /** A clock may be set back by so much. */
    aheadMs: 3_600_000,
    /** What answering takes beside the way there, and how far away is who was never measured. */
    answerMs: 5,
    unknownRttMs: 100,
    /** Of a setting. */
    halfLifeLeastMs: 60_000,
    halfLifeMostMs: 31_536_000_000,
  },
  presence: {
    /** What a machine does is told when it has changed, but not more often; and now and then when nothing has. */
    leastMs: 3_000,
    refreshMs: 60_000,
    /** Who has not been heard of for this long may be gone. */
    staleMs: 200_000,
    /** Members that hear of each other's presence; a larger network is parted into groups. */
    membersPerGroup: 256,
  },
  /** docs/protocol/names.md */
  names: {
    recordBytes: 512,
    recordsPerFrame: 64,
    frameBytes: 65_536,
    answerMs: 3_000,
    /** Members that keep a name. */
    copies: 3,
    /** Claimed names that count for a member at once, and with those that were given back; those of a domain's members together; and all of them. */
    claims: { perMember: 16, perMemberEver: 64, perDomain: 256, most: 4_096 },
    /** How many times the number of its epoch a token's may be raised to; with all epochs that there may be it stays one of 32 bits. */
    tokenRise: 32_768,
    token: 4_294_967_295,
    /** Names that a node keeps, of all authors and of one. */
    mostKept: 4_096,
    perAuthor: 256,
    /** How often they are told to those who should keep them now. */
    repeatMs: 600_000,
    /** The longest that a name may be good for. */
    lifeMs: 31_536_000_000,
  },
  /** docs/protocol/swarm.md */
  swarm: {
    /** Smaller blobs travel whole. */
    fromBytes: 8_388_608,
    /** A frame; a chunk's bytes are not in one. */
    frameBytes: 131_072,
    chunkBytes: 1_048_576,
    /** Chunks that one member is asked for at once, and that one may ask for. */
    wants: 2,
    wantsTaken: 32,
    /** Members that one blob is fetched from at once. */
    sources: 16,
    /** Blobs that are fetched at once, and kept ready with their chunk lists to be served. */
    fetches: 4,
    listsKept: 32,
    /** Chunks that are sent at once, to all members. */
    uploads: 4,
    /** Members that fetch the same blob and hear of each other. */
    peersTold: 32,
    /** What a member was asked for and has not given for so long, another is asked for as well. */
    slowMs: 3_000,
    /** A stream on which nothing moves ends; a blob that nobody gives any more is given up. */
    idleMs: 30_000,
    /** Whoever is asked for a chunk list hashes the whole blob first. */
    listMs: 120_000,
    stalledMs: 15_000,
    /** What was fetched of a blob waits so long to be gone on with. */
    partsKeptMs: 259_200_000,
  },
  /** docs/protocol/trees.md */
  trees: {
    /** A directory without those below it: reading one keeps the daemon busy. Its bytes, and its entries. */
    nodeBytes: 1_048_576,
    directoryEntries: 10_000,
    /** Files, links and directories of one tree, each counted as often as it appears. */
    entries: 262_144,
    depth: 128,
    nameBytes: 255,
    targetBytes: 4_095,
    /** Blobs that one question is about, and that are fetched before the next are. */
    blobsAtOnce: 1_024,
    frameBytes: 65_536,
    answerMs: 3_000,
    /** Members that are asked whether they have a blob: in turns, altogether, and who have it before nobody else is asked. */
    askedAtOnce: 8,
    asked: 64,
    holders: 3,
    /** A tree that is brought here is told about so often; the command line waits so long for a word. */
    tellEveryMs: 500,
    silentMs: 30_000,
  },
  /** docs/protocol/toolchains.md */
  toolchains: {
    frameBytes: 65_536,
    /** The file that tells what a pack is; a path in it; a version or a target. */
    packBytes: 1_048_576,
    pathBytes: 4_096,
    textBytes: 128,
    /** What is in one: files, links and directories; levels of them; all files together. */
    entries: 4_096,
    depth: 64,
    bytes: 1_073_741_824,
    /** An answer; one that comes when the pack is in the store. */
    answerMs: 3_000,
    packMs: 120_000,
    /** What a member has said is asked again after so long; what was refused is not fetched again before. */
    offerMs: 600_000,
    refusedMs: 3_600_000,
    /** The same for what could not be fetched, or not then. */
    retryMs: 10_000,
    /** Members' answers that are remembered, and those that somebody may be asked to approve. */
    offers: 1_024,
    wanted: 64,
    /** Bringing one, once the member has packed it; how often it is looked whether nobody builds. */
    fetchMs: 600_000,
    quietEveryMs: 500,
    /** What is fetched in such a time, altogether and for one member. */
    windowMs: 600_000,
    windowBytes: 2_147_483_648,
    windowBytesOfMember: 1_073_741_824,
    /** Who was used less than so long ago does not make room. */
    inUseMs: 600_000,
    /** Those that are kept; digests that are approved. */
    kept: 64,
    approved: 256,
  },
  /** What tools keep here: docs/doors.md */
  doors: {
    /** Rows of all doors together; their keys, and what was said beside them, as JSON. */
    entries: 500_000,
    keyBytes: 1_024,
    metaBytes: 4_096,
    /** Connections of one door at once; more are closed. */
    connections: 256,
    /** A line and headers of a request; a body that is a question and no artifact. */
    headerBytes: 16_384,
    questionBytes: 1_048_576,
    /** Headers have so long to come; all of a request; and anything at all on a connection that is in use, or in none. */
    headersMs: 10_000,
    requestMs: 900_000,
    idleMs: 30_000,
    keepAliveMs: 60_000,
    /** A connection of the Redis door on which nobody asks anything. */
    redisIdleMs: 600_000,
    /** Commands of the Redis door before the token is shown. */
    strangerCommands: 16,
    /** Who sends a body that nobody wants has so long to read why. */
    lingerMs: 2_000,
    /** Up to here a blob is read in one go. */
    smallBytes: 65_536,
    /** Pieces of bodies over HTTP that the store has not taken yet, over all clients. */
    passingBytes: 33_554_432,
    /** How far back what is compressed by zstd may point, as a power of 2: more than compressors use below their highest levels. */
    zstdWindowLog: 23,
    /** Bodies that are unpacked at once, each with such a window. */
    unpackings: 16,
    /** What tools have left here and is yet to be signed for other machines; what is asked of those at once. */
    unsigned: 4_096,
    asking: 256,
    /** Signatures of what came through doors that are kept to be served: all together, and of one signer. What was compiled has its own. */
    signatures: 60_000,
    signaturesPerSigner: 50_000,
    /** Blobs that a result names, and that go to other machines with it: as many as have a number of four digits. */
    namedBlobs: 9_999,
    /** Who was asked what it has signed of what was taken from others: once each. */
    heard: 65_536,
    /** Statements of disputed results of actions: all together, and of one action, of a domain each. */
    disputing: 4_096,
    disputingOfOne: 16,
    /** Characters of one that outlives this process. */
    disputeLength: 16_384,
    /** Other machines have so long to answer; then, to send what they have, by its size … */
    answerMs: 1_000,
    bringLeastMs: 5_000,
    bringMostMs: 30_000,
    bringBytesPerSecond: 4_194_304,
    /** … and of one entry so much is brought. */
    bringBytes: 2_147_483_648,
    /** The file with the token; one with certificates or a key. */
    tokenBytes: 4_096,
    pemBytes: 1_048_576,
  },
  /** What a user has pinned, and blobs that belong to it. */
  pins: 1_024,
  pinnedBlobs: 65_536,
  /** docs/protocol/replication.md */
  replication: {
    itemsPerOffer: 64,
    frameBytes: 65_536,
    /** For one offer, all that it makes the other fetch included. */
    offerMs: 120_000,
    /** Offers of members that this node is at once keeping copies for. */
    offersTaken: 2,
    /** Requests whose results wait to be copied; what is more is found when all are looked at. */
    waiting: 8_192,
    /** Bytes a second that are offered, on average. */
    bytesPerSecond: 16_777_216,
    /** While somebody builds, copies wait for so long at most, and then for so long again. */
    patienceMs: 30_000,
    /** A holder that is gone for so long is replaced. */
    graceMs: 10_000,
    /** Holders after the first wait for so long each before they see to it. */
    turnMs: 15_000,
    /** How often all that is here is looked at, and how many requests of it at once. */
    lookEveryMs: 600_000,
    lookAtOnce: 256,
    /** Who has no room is left alone for so long, and who does not answer. */
    fullMs: 600_000,
    failedMs: 30_000,
    /** In a full store, copies take the place of what was not used for so long. */
    coldMs: 86_400_000,
    /** Members that are called at once since something belongs to them, how long each has to come, and for how long it counts as away then. */
    callsAtOnce: 4,
    callMs: 15_000,
    awayMs: 3_600_000,
    /** The same of one of which something is heard since, doubled with each call that fails. */
    heardAwayMs: 60_000,
  },
  /** Files and directories that members have pinned: docs/protocol/replication.md */
  treeCopies: {
    /** That a node keeps for others, and blobs that belong to them; and the part of its store that they may take. */
    trees: 1_024,
    blobs: 262_144,
    ofStore: 0.25,
    /** Of each of these, what those of one domain may take. */
    ofDomain: 0.5,
    /** Members that want the same tree here. */
    claims: 16,
    /** After its pinner has said last that it wants it. */
    leaseMs: 2_592_000_000,
    /** An offer for no longer than that is only the question whether it is there. */
    askS: 1,
    /** For one attempt; what has come by then is there for the next. */
    fetchMs: 3_600_000,
    /** Asked for at once. */
    batchBytes: 4_194_304,
    /** What is asked for at once is to come in this time and one more for its bytes, or the attempt is given up. */
    slowMs: 30_000,
    leastBytesPerSecond: 262_144,
    /** Trees that are fetched at once, of one domain each; and how long a member that waits for its turn may be silent. */
    fetches: 4,
    turnMs: 10_000,
    quietEveryMs: 250,
    /** What is kept is looked at once in such a time, whoever asks for it: whether all of it is there still. */
    wholeMs: 60_000,
    /** What nobody has signed may be signed a moment later, and is asked about again after so long. */
    unsignedMs: 2_000,
    /** Blobs that are looked at without a pause, and the pause. */
    lookAtOnce: 64,
    lookPauseMs: 5,
    /** Blobs of what is pinned here that are looked at in a second. */
    ownLookAtOnce: 1_024,
    /** Changes of what is kept are written down together, so long after the first; what could not be written is tried again so often. */
    noteMs: 2_000,
    noteAgainMs: 60_000,
    /** An offer is answered at once. */
    answerMs: 10_000,
    /** Who is busy for so long is passed over. */
    busyMs: 600_000,
    /** Who is fetching is asked again after so long. */
    askAgainMs: 2_000,
    /** How often all who are to have it are asked whether they have. */
    lookEveryMs: 600_000,
  },
  /** A frame by which members look for a way to each other. */
  pathFrameBytes: 1_024,
  /** One step of such a search: an answer of a relay, of the member behind it, or of one that was asked to punch. */
  pathStepMs: 5_000,
  /** A member that was dialled directly and has not answered for so long is looked for through relays, too. */
  relayAfterMs: 150,
  /** Members that are asked whether they can relay, for one that is looked for. */
  relaysAsked: 4,
  /** Pause before they are asked again for one to whom none of them relayed, at first and at most; who was not linked then is asked meanwhile. */
  relayAgainFirstMs: 15_000,
  relayAgainMostMs: 300_000,
  /** Relays between two members. */
  relaysInRow: 3,
  /** Circuits that a node may be told to relay at once, and those of them that one member may have; a connection has other streams, too. */
  circuits: 4_096,
  circuitsPerMember: 92,
  /** Bytes a second that a node relays, all circuits together, both ways. */
  relayBytesPerSecond: 33_554_432,
  /** A circuit on which nothing has moved for so long ends; links ping more often. */
  circuitIdleMs: 60_000,
  /** From the first attempt to connect through two NATs at once to the last. */
  punchMs: 3_000,
  /** Attempts to connect directly that one member may ask for in a minute. */
  punchesPerMinute: 12,
  /** A member is asked to dial this node back at so many addresses, each with so long to succeed. */
  probedAddresses: 4,
  probeDialMs: 3_000,
  /** Probes that one member may ask for in a minute, and all. */
  probesPerMember: 6,
  probesPerMinute: 60,
  /** Members that are asked; from a change until they are, again where one tried in vain for the first time, and now and then. */
  probers: 3,
  probeAfterMs: 2_000,
  probeAgainMs: 10_000,
  probeEveryMs: 900_000,
  /** Rounds in which all who were asked tried in vain, one after the other, before an address is held to be unreachable. */
  probesInVain: 2,
  /** A question to a router: from the first time to the second, doubling, and until it is given up. */
  mapRepeatMs: 250,
  mapAnswerMs: 4_000,
  /** What a router may say of itself over HTTP. */
  mapDescriptionBytes: 65_536,
  /** For how long a router is asked to let members in, how soon it is asked again at the earliest, and when it did not do it. */
  mapLeaseS: 7_200,
  mapRenewLeastMs: 60_000,
  mapRetryMs: 600_000,
  /** A connection that a better one has replaced is kept for the streams on it, for so long at most, and so many to a member. */
  retireMs: 43_200_000,
  retiredPerPeer: 2,
  /** From the last of those streams until the connection has ended. */
  leaveMs: 60_000,
  /** From the beginning of an attempt to the next, whatever is heard in between. */
  redialSpacingMs: 1_000,
  /** From dialling one address of a member to dialling its next beside it (RFC 8305, section 5). */
  dialStaggerMs: 250,
  /** Addresses of one member that are tried in one attempt, wherever they are known from. */
  addressesDialled: 12,
  /** How often a node looks whom else to be linked with, and whether it is cut off. */
  peerLookMs: 2_000,
  /** How often this machine's interfaces and clock are looked at. */
  interfaceLookMs: 1_000,
  /** A clock that has jumped further than this while nobody looked: the machine has slept. */
  sleptMs: 4_000,
  /** Interfaces, by address family, on which members are looked for by mDNS. */
  mdnsSockets: 16,
  /** Records of one mDNS packet that are looked at. */
  mdnsRecords: 16,
  /** Between two announcements by mDNS, at first and at most, doubling. */
  mdnsFirstMs: 1_000,
  mdnsMostMs: 60_000,
  /** What an executor takes of one action: names, words, and the largest limits that one may ask for. */
  action: {
    inputs: 60_000,
    outputs: 64,
    /** Of an action that writes beside its inputs: outputs, directories that stand for all that is in them, and what that may be. */
    workOutputs: 1_024,
    workLeft: 65_536,
    /** Those that a command may declare, and the two that it has anyway. */
    variables: 66,
    pathBytes: 4_000,
    /** Of one path; of all paths of inputs and directories together; directories, files and links that come of them. */
    pathParts: 128,
    parts: 1_000_000,
    entries: 100_000,
    argumentBytes: 65_536,
    /** Words, variables and names of outputs; the kernel takes 2 MiB where a stack may have 8. */
    argumentsBytes: 1_048_576,
    most: {
      cpuMs: 3_600_000,
      wallMs: 7_200_000,
      memoryBytes: 34_359_738_368,
      processes: 1_024,
      fileBytes: 2_147_483_648,
      outputBytes: 536_870_912,
      printedBytes: 8_388_608,
    },
  },
  /** Own compiles that others are asked for. */
  remote: {
    /** What one may use there. */
    action: {
      cpuMs: 1_200_000,
      wallMs: 1_200_000,
      memoryBytes: 8_589_934_592,
      processes: 64,
      fileBytes: 50_331_648,
      outputBytes: 50_331_648,
      printedBytes: 1_048_576,
    },
    /** Of one file that describes a locale. */
    localeBytes: 16_777_216,
    /** Members that are asked for one compile, one after the other. */
    members: 3,
    /** How often one compile that waits at a member may be wanted back because another one is free. */
    moves: 2,
    /** How often one compile may find a member without room before it waits for `weighAgainMs`; they may be asked again. */
    refusals: 12,
    /** While all cores here and all members are busy, a compile waits for so long after the last one was done, and then it is done here all the same. */
    waitMs: 20_000,
    /** An action that was not worth sending is weighed again after so long a wait for a core. */
    weighAgainMs: 1_000,
    /** The same of a command, which takes longer; and what one takes of which nothing was measured. */
    commandWaitMs: 120_000,
    commandMs: 10_000,
    /** Compiles that are remembered to be nothing for others; members that have used a compiler, with the compiler. */
    failuresRemembered: 4_096,
    /** What nothing was measured of takes so long. */
    unknownMs: 2_000,
    /** A compile that others have for so many times as long as expected, and at least so long, is begun here too, when a core is idle. */
    lateTimes: 2,
    lateLeastMs: 500,
    /** For so many times as long: before what waits for a core. */
    goneTimes: 5,
  },
  /** docs/protocol/remote-execution.md */
  remoteExecution: {
    connections: 256,
    callsPerConnection: 256,
    calls: 1_024,
    /** What messages may take up that are not whole or in hand, over all calls; those up to here do not count. */
    arrivingBytes: 67_108_864,
    smallBytes: 32_768,
    /** A request that is a single message, to come; one that is answered, to end. */
    requestMs: 60_000,
    leftOpenMs: 10_000,
    /** What of one call may be on its way; with all calls at once no more than above. */
    windowBytes: 262_144,
    /** A connection on which nothing came at all; on which nothing has come for so long, and then no answer; without a call. */
    helloMs: 10_000,
    keepAliveMs: 60_000,
    connectionIdleMs: 3_600_000,
    /** A message; blobs of one batch; what of a blob makes one message. Clients take 4 MiB. */
    messageBytes: 4_194_304,
    batchBytes: 4_000_000,
    /** A result; standard output or error that goes along with it. */
    resultBytes: 3_145_728,
    inlineBytes: 65_536,
    /** A directory; directories of one tree; a whole tree as one message; what of a tree makes one answer. */
    directoryBytes: 4_194_304,
    directories: 65_536,
    treeBytes: 33_554_432,
    treePageBytes: 1_048_576,
    /** Digests that are looked at before everything else has a turn. */
    stepsAtOnce: 256,
    /** Blobs that are being written; what was written of one waits so long for the rest. */
    uploads: 256,
    uploadKeptMs: 120_000,
    /** A blob of which nothing moves for so long is given up. */
    idleMs: 60_000,
    /** An action or command; levels of directories of its inputs; missing inputs that are named. */
    commandBytes: 2_097_152,
    depth: 100,
    missingNamed: 1_024,
    /** Executions that have not ended; those that can be asked about afterwards, the latest of them, and for so long. */
    operations: 1_024,
    operationsEnded: 256,
    endedKeptMs: 60_000,
    /** An execution that nobody waits for any more is ended, unless it was cancelled before. */
    abandonedMs: 5_000,
    /** What an action may use; one that says how long it may take may say less. */
    action: {
      cpuMs: 3_600_000,
      wallMs: 3_600_000,
      memoryBytes: 34_359_738_368,
      processes: 1_024,
      fileBytes: 402_653_184,
      outputBytes: 402_653_184,
      printedBytes: 4_194_304,
    },
  },
  /** docs/protocol/tasks.md */
  task: {
    patterns: 256,
    outputs: 64,
    variables: 64,
    words: 8_192,
    /** A script, what its first line names, and so on. */
    programs: 4,
    /** Files, links and directories; their names together are in memory, and so is the list of them. */
    inputs: 60_000,
    depth: 100,
    /** What is left at outputs; how much of it, and how much may be printed to each stream. */
    left: 16_384,
    leftBytes: 268_435_456,
    printedBytes: 4_194_304,
    /** What holds all of that. */
    outcomeBytes: 285_212_672,
    /** Files that are blobs of their own; those that were not declared one by one from this size on. */
    apart: 16,
    apartBytes: 1_048_576,
    pathBytes: 2_048,
    targetBytes: 2_048,
    /** Paths of an earlier run that are remembered, so that what was put there can be told from other files: no fewer than may be left. */
    placed: 16_384,
    /** Of a question, as JSON, by which a command can be run once more; a longer one is not remembered. */
    askedBytes: 65_536,
    /** What took longer for others is not executed once more when nobody builds, but at once where it was drawn to be. */
    sampledMs: 600_000,
    /** Commands of which not always the same comes. */
    unshared: 1_024,
    /** Commands that the asker runs and has not told of; the inputs of all of them, which are in memory. */
    jobs: 256,
    jobInputs: 240_000,
    /** What the asker tells of its run. */
    reportBytes: 12_582_912,
    /** Between two looks at whatever else there is to do. */
    stepsAtOnce: 64,
    /** Files below /usr/local, which no list of packages names, and what they hold; all that is installed is looked at again after so long. */
    localFiles: 50_000,
    localBytes: 2_147_483_648,
    installedMs: 10_000,
    /** The first line of a script. */
    scriptBytes: 256,
    action: {
      cpuMs: 3_600_000,
      wallMs: 3_600_000,
      memoryBytes: 34_359_738_368,
      processes: 1_024,
      fileBytes: 268_435_456,
      outputBytes: 268_435_456,
      printedBytes: 4_194_304,
    },
  },
  sandbox: {
    /** Jobs at once, and what the reports of all of them may hold; more wait. One action's `most` must fit. */
    jobs: 16,
    reportsBytes: 1_073_741_824,
    /** Of that, what is kept free for one action with a place to work in, though it may bring more. */
    workReportBytes: 67_108_864,
    /** Entries of a root that are planned or laid out before everything else has a turn. */
    stepsAtOnce: 256,
    /** Root directories that wait for a job; contents that no job and no toolchain needs now. */
    roots: 8,
    filesBytes: 4_294_967_296,
    /** Toolchains whose files are laid out at once. */
    toolchains: 8,
    /** Files of one directory in which a job may write. */
    filesWritten: 4_096,
    /** What bubblewrap itself, or the first process, may say about its trouble. */
    troubleBytes: 4_096,
    /** A job that was told to end and has not is killed with bubblewrap. */
    unheardMs: 2_000,
    /**
     * What a job holds in memory is looked at for the first time, from one look to the next, and what a look may take to tell apart what processes
     * share. Others' jobs hold that part of a machine's. A job that holds too much has so long to end by itself.
     */
    memory: { lookAfterMs: 150, lookEveryMs: 100, lookMs: 1_000, othersPart: 0.5, unheardMs: 100 },
    /** The first run, which shows whether the walls stand. */
    probeMs: 10_000,
  },
  /** docs/protocol/work.md */
  work: {
    /** What is asked for, before compression; its inputs; a piece of what travels, before compression, and how many make a frame. */
    actionBytes: 4_194_304,
    inputs: 20_000,
    pieceBytes: 262_144,
    piecesAtOnce: 1_024,
    /** Words of a general action; its variables, of which members of before read no more; the list of what one has left. */
    words: 65_536,
    variables: 64,
    leftListBytes: 8_388_608,
    detailCharacters: 256,
    /** Jobs of one member that have not ended. */
    jobsPerMember: 64,
    /** What a member may ask for: in a second on average, and at once. Each 64 KiB of an action count as one more. */
    asksPerSecond: 500,
    asksBurst: 1_000,
    /** Jobs whose contents come or that wait for their turn: of one member, and of all. */
    waitingPerMember: 48,
    waiting: 192,
    /** What is held of inputs for these, each job's counted by itself. */
    waitingBytesPerMember: 1_073_741_824,
    waitingBytes: 4_294_967_296,
    /** How long they may wait once all is here: for a slot that others' jobs have, and where there is none for others. By the latter it is told how many may wait. */
    turnMs: 30_000,
    queueMs: 2_000,
    /** A slot that no job has had for so long is left over, until one wants it. */
    leftOverMs: 500,
    /** An input; all of one job; what of inputs is put together in memory, of all jobs. */
    contentBytes: 33_554_432,
    inputBytes: 268_435_456,
    /** What goes along with an action because the worker has hardly got it: a content, and all. Contents that a worker is known to have. */
    alongContentBytes: 131_072,
    alongBytes: 262_144,
    knownThere: 32_768,
    /** Of what was sent to a member, how fast the link takes it follows from so much at least, and what came before the newest counts ever less. */
    paceLeastBytes: 1_048_576,
    paceMostBytes: 67_108_864,
    assemblingBytes: 134_217_728,
    /** Contents that were asked for come, one after the other, or the job ends. */
    giveMs: 5_000,
    /** A worker that has something to do says so; one that says nothing for so long is lost, also while it is first spoken to. */
    aliveMs: 500,
    silentMs: 2_000,
    /** What a job may take beside its own limit: contents, its turn, its outputs. After that it is lost, whatever the worker says. */
    besideMs: 60_000,
    /** A cancelled job ends within this time, and a frame is taken. */
    cancelMs: 10_000,
    /** What of results waits to be sent, to one member and to all: what would be more is not sent, and while half of it is there nothing is begun. */
    unsentPerMember: 268_435_456,
    unsentBytes: 536_870_912,
    /** A result is sent within this time. */
    sendMs: 300_000,
    /** Signatures of results of one worker that are waited for, and for how long. */
    vouchersAwaited: 128,
    voucherMs: 600_000,
    /** Results that a worker has yet to look at again and sign: of all members and of one, what is in memory and on disk for them, and for how long. */
    vouching: 64,
    vouchingPerMember: 24,
    vouchingBytes: 268_435_456,
    vouchingMs: 120_000,
    /** What is signed for one member: so many at once, and so many a second on average. */
    vouchedBurst: 240,
    vouchedPerSecond: 4,
    /** A machine whose owner has not built for so long is idle. */
    idleMs: 300_000,
    /** A link as short as this carries bytes as fast as they are compressed. */
    shortRttMs: 1,
    /** The largest limits that a job of another member may have. */
    most: {
      cpuMs: 1_200_000,
      wallMs: 1_200_000,
      memoryBytes: 8_589_934_592,
      processes: 64,
      fileBytes: 268_435_456,
      outputBytes: 268_435_456,
      printedBytes: 8_388_608,
    },
    /** The same of a general action: other programs than compilers reserve addresses by the gigabyte. */
    mostGeneral: {
      cpuMs: 3_600_000,
      wallMs: 1_200_000,
      memoryBytes: 34_359_738_368,
      processes: 256,
      fileBytes: 67_108_864,
      outputBytes: 67_108_864,
      printedBytes: 1_048_576,
    },
  },
  /** Audits of a project's build. */
  audit: {
    /** Of a project, and that a build may leave; calls of compilers that are remembered. */
    files: 500_000,
    calls: 200_000,
    /** Files that differ and are told of, and those of them for which compilers are asked again. */
    findings: 2_000,
    diagnosed: 100,
    /** And for how long they are. */
    diagnosingMs: 600_000,
    /** Larger files are not looked into. */
    comparedBytes: 268_435_456,
    /** Of those so much is compared at once. */
    pieceBytes: 1_048_576,
    /** What git says of a project's files. */
    listingBytes: 268_435_456,
    /** One command that is repeated. */
    commandMs: 300_000,
    /** The end of what a build prints. */
    printedChars: 4_000,
    /** From being asked to end until it is made to. */
    patienceMs: 3_000,
    tellEveryMs: 500,
  },
  /** Logs of attestations, and their witnesses: docs/protocol/log.md. */
  transparency: {
    /** A note, and signatures of one. */
    noteBytes: 65_536,
    noteSignatures: 64,
    /** Entries of one log: then it is full. 512 MiB of hashes, and twice as much for entries. */
    entries: 16_777_216,
    /** Entries that wait to be written; those in one batch; how long they wait for others. */
    waiting: 65_536,
    batch: 1_024,
    batchMs: 1_000,
    /** How often a log that has grown asks its witnesses, and of how many other domains. */
    askMs: 2_000,
    witnesses: 3,
    /** Who does not witness is left alone for so long. */
    againMs: 15_000,
    /** After a start nobody is shown anything for so long, unless all have answered who had witnessed last: 3 days. */
    awaitMs: 259_200_000,
    answerMs: 5_000,
    /** A question with as many hashes as one has at most, and an answer. */
    frameBytes: 65_536,
    hashesAtOnce: 1_024,
    /** Questions that are answered in a minute, to one member, one domain and all; checkpoints heard of that are looked at, from as many. */
    questions: { perPlace: 240, perGroup: 300, perMinute: 1_200 },
    looks: { perPlace: 240, perGroup: 480, perMinute: 2_400 },
    /** When what a member has told last, and was too much, is looked at again. */
    lookAgainMs: 60_000,
    /** Checkpoints that were looked at, so that none is twice. */
    looked: 8_192,
    /** Hashes of others' entries that a witness keeps, of all logs: 128 MiB. */
    mirrored: 4_194_304,
    /** Hashes of a proof: no tree is higher. */
    proofHashes: 64,
    /** Logs that are watched; domains whose word of one is kept until it can be compared. */
    logs: 1_024,
    heard: 32,
    /** Checkpoints that are told in one message of gossip. */
    headsPerMessage: 16,
    /** The file of a proof. */
    proofBytes: 262_144,
  },
  /** Whom the reader believes: docs/protocol/attestation.md. */
  trust: {
    /** Domains that must vouch for a result under the policies team and release. */
    team: 2,
    release: 3,
    /** Domains that make an answer one that was reproduced, and those that must agree before who stands alone is blamed. */
    reproduced: 2,
    convicting: 3,
    /** Of results that enough domains vouch for, one of so many is executed here, too; more of who is not proven. */
    auditTeam: 50,
    auditRelease: 20,
    /** Domains that a summary of who reproduced a result names. */
    summaryDomains: 32,
    /** Signers of whom it is known how well they are proven, and pairs of an action and a signer that have counted for it. */
    proven: 1_024,
    provenBy: 16_384,
    /** Members of other domains, one of each, that are asked to execute something at once. */
    challenged: 8,
    /** Each has so long for one compile that it is asked to repeat, or for the texts before it. */
    challengeMs: 600_000,
    /** Results of others that wait to be executed here. */
    verifyWaiting: 256,
    /** They wait for a moment when nobody builds, but not longer than that. */
    verifyWithinMs: 10_000,
    /** All records that wrappers answer from are removed at most so often. */
    recordsClearedMs: 5_000,
    /** What cannot be executed is tried so many times, with so long between; then it is not used any more. */
    verifyAttempts: 3,
    verifyAgainMs: 10_000,
    /** Results taken from others that can be executed here when members differ about them. */
    taken: 128,
    /** Results that are not believed any more, for those who ask about sources that were answered by them. */
    forgotten: 8_192,
    /** Domains speak about what is disputed one after the other, each so long after the one before. */
    turnMs: 4_000,
    /** Asking domains to commit before they reveal: docs/protocol/rounds.md. */
    round: {
      /** Members, one of each domain, that are asked at once; of one domain one after the other; rounds about one action. */
      asked: 4,
      perDomain: 3,
      rounds: 3,
      /** Rounds that a node convenes at once, and that it is asked in: by one member, by all. */
      convened: 4,
      askedBy: 4,
      askedByAll: 16,
      /** Questions that are answered in a minute, of one member and of all. */
      questions: { perPlace: 240, perMinute: 1_200 },
      /** Who is asked has so long to execute; what it has found is withheld for so long at most. */
      commitMs: 30_000,
      withheldMs: 45_000,
      /** Every other step of a round. */
      stepMs: 5_000,
      frameBytes: 16_384,
      /** Actions of which it is remembered who repeated others. */
      remembered: 1_024,
    },
    /** Actions that are disputed, and signers that are convicted: more are not looked at. */
    suspicions: 1_024,
    convicted: 256,
    /** An evidence, most of which are the statements of the network. */
    evidenceBytes: 16_777_216,
    /** Requests whose results wait to be judged again, as more is known of them. */
    lookedAgain: 65_536,
    /** Requests that are judged again when the policy has changed. */
    judgedAgain: 4_194_304,
    /** What a node executed is signed so often for others, and not once more. */
    vouchedPerAction: 2,
    /** What is looked at of an action: attestations of one signer, the newest, and of one domain. */
    knownPerSigner: 4,
    knownPerGroup: 16,
  },
} as const;
