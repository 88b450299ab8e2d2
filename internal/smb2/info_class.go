package smb2

// InfoClass is FileInfoClass of QUERY_INFO, SET_INFO and QUERY_DIRECTORY. Its numbers
// are those of [MS-FSCC] 2.4 with InfoFile and of 2.5 with InfoFilesystem.
type InfoClass uint8

// Classes of files and directories, [MS-FSCC] 2.4.
const (
	ClassFileDirectoryInformation           InfoClass = 1
	ClassFileFullDirectoryInformation       InfoClass = 2
	ClassFileBothDirectoryInformation       InfoClass = 3
	ClassFileBasicInformation               InfoClass = 4
	ClassFileStandardInformation            InfoClass = 5
	ClassFileInternalInformation            InfoClass = 6
	ClassFileEaInformation                  InfoClass = 7
	ClassFileAccessInformation              InfoClass = 8
	ClassFileNameInformation                InfoClass = 9
	ClassFileRenameInformation              InfoClass = 10
	ClassFileLinkInformation                InfoClass = 11
	ClassFileNamesInformation               InfoClass = 12
	ClassFileDispositionInformation         InfoClass = 13
	ClassFilePositionInformation            InfoClass = 14
	ClassFileFullEaInformation              InfoClass = 15
	ClassFileModeInformation                InfoClass = 16
	ClassFileAlignmentInformation           InfoClass = 17
	ClassFileAllInformation                 InfoClass = 18
	ClassFileAllocationInformation          InfoClass = 19
	ClassFileEndOfFileInformation           InfoClass = 20
	ClassFileAlternateNameInformation       InfoClass = 21
	ClassFileStreamInformation              InfoClass = 22
	ClassFilePipeInformation                InfoClass = 23
	ClassFilePipeLocalInformation           InfoClass = 24
	ClassFilePipeRemoteInformation          InfoClass = 25
	ClassFileMailslotQueryInformation       InfoClass = 26
	ClassFileMailslotSetInformation         InfoClass = 27
	ClassFileCompressionInformation         InfoClass = 28
	ClassFileObjectIDInformation            InfoClass = 29
	ClassFileMoveClusterInformation         InfoClass = 31
	ClassFileQuotaInformation               InfoClass = 32
	ClassFileReparsePointInformation        InfoClass = 33
	ClassFileNetworkOpenInformation         InfoClass = 34
	ClassFileAttributeTagInformation        InfoClass = 35
	ClassFileTrackingInformation            InfoClass = 36
	ClassFileIDBothDirectoryInformation     InfoClass = 37
	ClassFileIDFullDirectoryInformation     InfoClass = 38
	ClassFileValidDataLengthInformation     InfoClass = 39
	ClassFileShortNameInformation           InfoClass = 40
	ClassFileSfioReserveInformation         InfoClass = 44
	ClassFileSfioVolumeInformation          InfoClass = 45
	ClassFileHardLinkInformation            InfoClass = 46
	ClassFileNormalizedNameInformation      InfoClass = 48
	ClassFileIDGlobalTxDirectoryInformation InfoClass = 50
	ClassFileStandardLinkInformation        InfoClass = 54
	ClassFileIDInformation                  InfoClass = 59
	ClassFileIDExtdDirectoryInformation     InfoClass = 60
	ClassFileDispositionInformationEx       InfoClass = 64
	ClassFileRenameInformationEx            InfoClass = 65
	ClassFileID64ExtdDirectoryInformation   InfoClass = 78
	ClassFileID64ExtdBothDirectoryInfo      InfoClass = 79
	ClassFileIDAllExtdDirectoryInformation  InfoClass = 80
	ClassFileIDAllExtdBothDirectoryInfo     InfoClass = 81
	ClassFilePosixInformation               InfoClass = 100 // SMB3 POSIX extensions
)

// Classes of file systems, [MS-FSCC] 2.5.
const (
	ClassFileFsVolumeInformation     InfoClass = 1
	ClassFileFsLabelInformation      InfoClass = 2
	ClassFileFsSizeInformation       InfoClass = 3
	ClassFileFsDeviceInformation     InfoClass = 4
	ClassFileFsAttributeInformation  InfoClass = 5
	ClassFileFsControlInformation    InfoClass = 6
	ClassFileFsFullSizeInformation   InfoClass = 7
	ClassFileFsObjectIDInformation   InfoClass = 8
	ClassFileFsDriverPathInformation InfoClass = 9
	ClassFileFsVolumeFlagsInfo       InfoClass = 10
	ClassFileFsSectorSizeInformation InfoClass = 11
	ClassFileFsPosixInformation      InfoClass = 100 // SMB3 POSIX extensions
)
