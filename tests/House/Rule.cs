namespace House;

/// <summary>A rule is one sentence of the style guide that a program can check: what breaks it, and what to do instead.</summary>
internal sealed record Rule(string Id, string Advice, Func<Repository, IEnumerable<Violation>> Find)
{
    /// <summary>A rule that judges each source file by itself.</summary>
    public static Rule ForSources(string id, string advice, Func<SourceFile, IEnumerable<Violation>> find) =>
        new(id, advice, repository => repository.Sources.SelectMany(find));
}

/// <summary>A violation is one place where a rule is broken.</summary>
internal sealed record Violation(string File, int Line, string Subject, string Text)
{
    public override string ToString() => $"{File}:{Line}: {Text}";
}

/// <summary>A departure is a place that may break a rule, and why; without a <see cref="Member"/> the whole file, or folder, may.</summary>
internal sealed record Departure(string Rule, string Place, string? Member, string Reason)
{
    public bool Covers(Violation violation) =>
        (violation.File == Place || (Place.EndsWith('/') && violation.File.StartsWith(Place, StringComparison.Ordinal)))
        && (Member is null || violation.Subject == Member);
}
