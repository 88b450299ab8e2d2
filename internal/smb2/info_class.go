package smb2

// InfoClass is FileInfoClass of QUERY_INFO, SET_INFO and QUERY_DIRECTORY. Its numbers
// are those of [MS-FSCC] 2.4 with InfoFile and of 2.5 with InfoFilesystem.
type InfoClass uint8

// Classes of files and directories, [MS-FSCC] 2.4.
const (
	FileDirectoryInformation           InfoClass = 1
	FileFullDirectoryInformation       InfoClass = 2
	FileBothDirectoryInformation       InfoClass = 3
	FileBasicInformation               InfoClass = 4
	FileStandardInformation            InfoClass = 5
	FileInternalInformation            InfoClass = 6
	FileEaInformation                  InfoClass = 7
	FileAccessInformation              InfoClass = 8
	FileNameInformation                InfoClass = 9
	FileRenameInformation              InfoClass = 10
	FileLinkInformation                InfoClass = 11
	FileNamesInformation               InfoClass = 12
	FileDispositionInformation         InfoClass = 13
	FilePositionInformation            InfoClass = 14
	FileFullEaInformation              InfoClass = 15
	FileModeInformation                InfoClass = 16
	FileAlignmentInformation           InfoClass = 17
	FileAllInformation                 InfoClass = 18
	FileAllocationInformation          InfoClass = 19
	FileEndOfFileInformation           InfoClass = 20
	FileAlternateNameInformation       InfoClass = 21
	FileStreamInformation              InfoClass = 22
	FilePipeInformation                InfoClass = 23
	FilePipeLocalInformation           InfoClass = 24
	FilePipeRemoteInformation          InfoClass = 25
	FileMailslotQueryInformation       InfoClass = 26
	FileMailslotSetInformation         InfoClass = 27
	FileCompressionInformation         InfoClass = 28
	FileObjectIdInformation            InfoClass = 29
	FileMoveClusterInformation         InfoClass = 31
	FileQuotaInformation               InfoClass = 32
	FileReparsePointInformation        InfoClass = 33
	FileNetworkOpenInformation         InfoClass = 34
	FileAttributeTagInformation        InfoClass = 35
	FileTrackingInformation            InfoClass = 36
	FileIdBothDirectoryInformation     InfoClass = 37
	FileIdFullDirectoryInformation     InfoClass = 38
	FileValidDataLengthInformation     InfoClass = 39
	FileShortNameInformation           InfoClass = 40
	FileSfioReserveInformation         InfoClass = 44
	FileSfioVolumeInformation          InfoClass = 45
	FileHardLinkInformation            InfoClass = 46
	FileNormalizedNameInformation      InfoClass = 48
	FileIdGlobalTxDirectoryInformation InfoClass = 50
	FileStandardLinkInformation        InfoClass = 54
	FileIdInformation                  InfoClass = 59
	FileIdExtdDirectoryInformation     InfoClass = 60
	FileDispositionInformationEx       InfoClass = 64
	FileRenameInformationEx            InfoClass = 65
	FileId64ExtdDirectoryInformation   InfoClass = 78
	FileId64ExtdBothDirectoryInfo      InfoClass = 79
	FileIdAllExtdDirectoryInformation  InfoClass = 80
	FileIdAllExtdBothDirectoryInfo     InfoClass = 81
	FilePosixInformation               InfoClass = 100 // SMB3 POSIX extensions
)

// Classes of file systems, [MS-FSCC] 2.5.
const (
	FileFsVolumeInformation     InfoClass = 1
	FileFsLabelInformation      InfoClass = 2
	FileFsSizeInformation       InfoClass = 3
	FileFsDeviceInformation     InfoClass = 4
	FileFsAttributeInformation  InfoClass = 5
	FileFsControlInformation    InfoClass = 6
	FileFsFullSizeInformation   InfoClass = 7
	FileFsObjectIdInformation   InfoClass = 8
	FileFsDriverPathInformation InfoClass = 9
	FileFsVolumeFlagsInfo       InfoClass = 10
	FileFsSectorSizeInformation InfoClass = 11
	FileFsPosixInformation      InfoClass = 100 // SMB3 POSIX extensions
)
