namespace KafkaChaos;

/// <summary>A usage exception says what a run needs and does not find here: exit code 2, neither held nor broken.</summary>
internal sealed class UsageException(string message) : Exception(message);
