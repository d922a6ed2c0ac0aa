namespace EvenKeel.Kafka.Settings;

/// <summary>The known name that somebody who mistyped one probably meant.</summary>
internal static class NearestName
{
    // A third of the letters wrong is another word.
    private const int LettersPerMistake = 3;

    /// <returns>The nearest of them; null if none is near.</returns>
    public static string? Find(string name, IEnumerable<string> known)
    {
        var nearest = known
            .Select(candidate => (Name: candidate, Distance: Distance(Folded(name), Folded(candidate))))
            .OrderBy(candidate => candidate.Distance).ThenBy(candidate => candidate.Name, StringComparer.Ordinal)
            .FirstOrDefault();
        return nearest.Name is not null && nearest.Distance <= Math.Max(1, name.Length / LettersPerMistake) ? nearest.Name : null;
    }

    /// <summary>
    /// Damerau and Levenshtein's edit distance (optimal string alignment): letters inserted, left out, changed, or swapped with the next.
    /// </summary>
    public static int Distance(string one, string other)
    {
        var rows = new int[3][];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = new int[other.Length + 1];
        var (before, last, row) = (rows[0], rows[1], rows[2]);
        for (var j = 0; j <= other.Length; j++)
            last[j] = j;
        for (var i = 1; i <= one.Length; i++)
        {
            row[0] = i;
            for (var j = 1; j <= other.Length; j++)
            {
                var change = last[j - 1] + (one[i - 1] == other[j - 1] ? 0 : 1);
                row[j] = Math.Min(change, Math.Min(last[j], row[j - 1]) + 1);
                if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
                    row[j] = Math.Min(row[j], before[j - 2] + 1);
            }
            (before, last, row) = (last, row, before);
        }
        return last[other.Length];
    }

    // LingerMs and linger_ms mean linger.ms.
    private static string Folded(string name) =>
        string.Concat(name.Where(letter => letter is not ('.' or '_' or '-'))).ToLowerInvariant();
}
