namespace MetricStream.Intake;

/// <summary>The codes of <c>errors[].code</c> in an answer; no others are sent.</summary>
internal static class BatchErrorCode
{
    public const string Missing = "missing";
    public const string Repeated = "repeated";
    public const string WrongType = "wrong_type";
    public const string Empty = "empty";
    public const string TooLong = "too_long";
    public const string BadCharacter = "bad_character";
    public const string NotFinite = "not_finite";
    public const string UnknownType = "unknown_type";
    public const string BadTimestamp = "bad_timestamp";
    public const string TooMany = "too_many";
}

/// <summary>One thing wrong with a well-formed body: which metric (none: the batch itself), which member or header, and why.</summary>
internal readonly record struct BatchError(int? Index, string Field, string Code);

/// <summary>
/// What the validator found: a number of metrics to accept, or why the body is not JSON (<see cref="Malformed"/>: 400), or what is
/// wrong with the batch it spells (<see cref="Errors"/>: 422). Malformed wins: then nothing else is set.
/// </summary>
internal readonly ref struct BatchVerdict
{
    public int MetricCount { get; init; }

    public string? Malformed { get; init; }

    /// <summary>The first errors; <see cref="ErrorCount"/> says how many there are in all.</summary>
    public IReadOnlyList<BatchError>? Errors { get; init; }

    public int ErrorCount { get; init; }

    /// <summary>The client id in the body, valid by its rule; empty when the body has none.</summary>
    public ReadOnlySpan<byte> ClientId { get; init; }
}
