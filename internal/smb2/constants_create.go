package smb2

// AccessMask is ACCESS_MASK of [MS-DTYP] 2.4.3 with the file rights of
// [MS-SMB2] 2.2.13.1.
type AccessMask uint32

// Rights of files and pipes, of directories where the word differs, and the
// standard and generic ones.
const (
	FileReadData         AccessMask = 0x00000001
	FileListDirectory    AccessMask = 0x00000001
	FileWriteData        AccessMask = 0x00000002
	FileAddFile          AccessMask = 0x00000002
	FileAppendData       AccessMask = 0x00000004
	FileAddSubdirectory  AccessMask = 0x00000004
	FileReadEa           AccessMask = 0x00000008
	FileWriteEa          AccessMask = 0x00000010
	FileExecute          AccessMask = 0x00000020
	FileTraverse         AccessMask = 0x00000020
	FileDeleteChild      AccessMask = 0x00000040
	FileReadAttributes   AccessMask = 0x00000080
	FileWriteAttributes  AccessMask = 0x00000100
	Delete               AccessMask = 0x00010000
	ReadControl          AccessMask = 0x00020000
	WriteDac             AccessMask = 0x00040000
	WriteOwner           AccessMask = 0x00080000
	Synchronize          AccessMask = 0x00100000
	AccessSystemSecurity AccessMask = 0x01000000
	MaximumAllowed       AccessMask = 0x02000000
	GenericAll           AccessMask = 0x10000000
	GenericExecute       AccessMask = 0x20000000
	GenericWrite         AccessMask = 0x40000000
	GenericRead          AccessMask = 0x80000000

	// FileAllAccess is what GENERIC_ALL maps to on a file.
	FileAllAccess AccessMask = 0x001F01FF
)

// CreateDisposition says what CREATE does when the file exists and when it does not
// ([MS-SMB2] 2.2.13).
type CreateDisposition uint32

// Values of CreateDisposition; higher ones are invalid.
const (
	FileSupersede   CreateDisposition = 0
	FileOpen        CreateDisposition = 1
	FileCreate      CreateDisposition = 2
	FileOpenIf      CreateDisposition = 3
	FileOverwrite   CreateDisposition = 4
	FileOverwriteIf CreateDisposition = 5
)

// CreateOptions are the option bits of CREATE ([MS-SMB2] 2.2.13).
type CreateOptions uint32

// Values of CreateOptions.
const (
	FileDirectoryFile           CreateOptions = 0x00000001
	FileWriteThrough            CreateOptions = 0x00000002
	FileSequentialOnly          CreateOptions = 0x00000004
	FileNoIntermediateBuffering CreateOptions = 0x00000008
	FileSynchronousIoAlert      CreateOptions = 0x00000010
	FileSynchronousIoNonalert   CreateOptions = 0x00000020
	FileNonDirectoryFile        CreateOptions = 0x00000040
	FileCompleteIfOplocked      CreateOptions = 0x00000100
	FileNoEaKnowledge           CreateOptions = 0x00000200
	FileOpenRemoteInstance      CreateOptions = 0x00000400
	FileRandomAccess            CreateOptions = 0x00000800
	FileDeleteOnClose           CreateOptions = 0x00001000
	FileOpenByFileID            CreateOptions = 0x00002000
	FileOpenForBackupIntent     CreateOptions = 0x00004000
	FileNoCompression           CreateOptions = 0x00008000
	FileOpenRequiringOplock     CreateOptions = 0x00010000
	FileDisallowExclusive       CreateOptions = 0x00020000
	FileReserveOpfilter         CreateOptions = 0x00100000
	FileOpenReparsePoint        CreateOptions = 0x00200000
	FileOpenNoRecall            CreateOptions = 0x00400000
	FileOpenForFreeSpaceQuery   CreateOptions = 0x00800000
)

// ShareAccess is what an open lets others do meanwhile ([MS-SMB2] 2.2.13).
type ShareAccess uint32

// Values of ShareAccess.
const (
	FileShareRead   ShareAccess = 0x00000001
	FileShareWrite  ShareAccess = 0x00000002
	FileShareDelete ShareAccess = 0x00000004
)

// CreateAction tells what a CREATE did ([MS-SMB2] 2.2.14).
type CreateAction uint32

// Values of CreateAction.
const (
	FileSuperseded  CreateAction = 0
	FileOpened      CreateAction = 1
	FileCreated     CreateAction = 2
	FileOverwritten CreateAction = 3
)

// ImpersonationLevel of CREATE ([MS-SMB2] 2.2.13).
type ImpersonationLevel uint32

// Values of ImpersonationLevel; higher ones are answered BAD_IMPERSONATION_LEVEL.
const (
	ImpersonationAnonymous      ImpersonationLevel = 0
	ImpersonationIdentification ImpersonationLevel = 1
	ImpersonationImpersonation  ImpersonationLevel = 2
	ImpersonationDelegate       ImpersonationLevel = 3
)

// OplockLevel is requested, granted and broken to ([MS-SMB2] 2.2.13, 2.2.14, 2.2.23).
type OplockLevel uint8

// Values of OplockLevel.
const (
	OplockLevelNone      OplockLevel = 0x00
	OplockLevelII        OplockLevel = 0x01
	OplockLevelExclusive OplockLevel = 0x08
	OplockLevelBatch     OplockLevel = 0x09
	OplockLevelLease     OplockLevel = 0xFF
)

// CreateFlagReparsePoint in CreateResponse.Flags: the last component of the name is
// a reparse point ([MS-SMB2] 2.2.14).
const CreateFlagReparsePoint uint8 = 0x01

// FileAttributes are the attribute bits of [MS-FSCC] 2.6.
type FileAttributes uint32

// Values of FileAttributes.
const (
	FileAttributeReadonly          FileAttributes = 0x00000001
	FileAttributeHidden            FileAttributes = 0x00000002
	FileAttributeSystem            FileAttributes = 0x00000004
	FileAttributeDirectory         FileAttributes = 0x00000010
	FileAttributeArchive           FileAttributes = 0x00000020
	FileAttributeNormal            FileAttributes = 0x00000080
	FileAttributeTemporary         FileAttributes = 0x00000100
	FileAttributeSparseFile        FileAttributes = 0x00000200
	FileAttributeReparsePoint      FileAttributes = 0x00000400
	FileAttributeCompressed        FileAttributes = 0x00000800
	FileAttributeOffline           FileAttributes = 0x00001000
	FileAttributeNotContentIndexed FileAttributes = 0x00002000
	FileAttributeEncrypted         FileAttributes = 0x00004000
	FileAttributeIntegrityStream   FileAttributes = 0x00008000
	FileAttributeNoScrubData       FileAttributes = 0x00020000
	FileAttributeRecallOnOpen      FileAttributes = 0x00040000
	FileAttributePinned            FileAttributes = 0x00080000
	FileAttributeUnpinned          FileAttributes = 0x00100000
	FileAttributeRecallOnData      FileAttributes = 0x00400000
)
